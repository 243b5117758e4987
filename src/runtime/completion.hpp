// SPDX-License-Identifier: MIT
// completion: what an operation in the ring points at. Its owner keeps it, where it is, until it is done.
//
//   idle --submitted--> in flight (the kernel has its address) --done--> idle
//
// A completed one is first collected and then told, after all completions of that turn were collected.
#pragma once

#include <cassert>
#include <cstdint>

namespace vloop {

class completion {
 public:
  /// Called on the loop's thread, once per submission; `done` is idle again and may be destroyed or reused.
  using function = void (*)(completion& done) noexcept;

  explicit completion(function when_done) noexcept : when_done_(when_done) {}
  completion(const completion&) = delete;
  completion& operator=(const completion&) = delete;
  ~completion() { assert(!in_flight_ && "an operation is destroyed while the kernel may still use its memory"); }

  /// A count or -errno, as the kernel gave it.
  [[nodiscard]] std::int32_t result() const noexcept { return result_; }
  [[nodiscard]] bool in_flight() const noexcept { return in_flight_; }

 private:
  friend class loop;
  function when_done_;
  completion* next_ = nullptr;  // in the loop's list of what is to be told
  std::int32_t result_ = 0;
  bool in_flight_ = false;
};

}  // namespace vloop
