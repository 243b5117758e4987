// SPDX-License-Identifier: MIT
#include "runtime/inbox.hpp"

namespace vloop {

// One by one: a chain of unique_ptr would be destroyed recursively.
inbox::~inbox() {
  while (first_) first_ = std::move(first_->next_);
}

bool inbox::add(std::unique_ptr<job> work) noexcept {
  job* const added = work.get();
  const bool was_empty = first_ == nullptr;
  (was_empty ? first_ : last_->next_) = std::move(work);
  last_ = added;
  return was_empty;
}

std::unique_ptr<job> inbox::take() noexcept {
  const std::lock_guard lock(mutex_);
  last_ = nullptr;
  return std::move(first_);
}

std::size_t inbox::run_all() noexcept {
  std::size_t count = 0;
  for (auto one = take(); one; ++count) {
    auto next = std::move(one->next_);
    one->run();
    one = std::move(next);
  }
  return count;
}

}  // namespace vloop
