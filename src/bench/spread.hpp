// SPDX-License-Identifier: MIT
// Several measurements of one thing.
#pragma once

#include <algorithm>
#include <vector>

namespace vloop::bench {

struct spread {
  double median = 0;
  double least = 0;
  double most = 0;

  bool overlaps(const spread& other) const { return least <= other.most && other.least <= most; }
};

// At least one. Of an even number of values the median is the mean of the two in the middle.
inline spread spread_of(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  const std::size_t middle = values.size() / 2;
  const double median = values.size() % 2 == 1 ? values[middle] : (values[middle - 1] + values[middle]) / 2;
  return {.median = median, .least = values.front(), .most = values.back()};
}

}  // namespace vloop::bench
