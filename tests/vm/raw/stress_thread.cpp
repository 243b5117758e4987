// SPDX-License-Identifier: MIT
#include "stress_thread.hpp"

namespace vloop::raw {

long hostile_thread::counted(long result) {
  ++w_.count.calls;
  if (result >= 0) ++w_.count.taken;
  return result;
}

// Memory for what the kernel reads or writes: good, shared with the others, half there, or not there.
void* hostile_thread::argument(std::size_t bytes) {
  switch (roll_.below(8)) {
    case 0:
      return w_.half_there + page_bytes - roll_.below(bytes + 1);
    case 1:
      return reinterpret_cast<void*>(roll_.number());
    default:
      return w_.shared.data() + roll_.below(w_.shared.size() - bytes) / 8 * 8;
  }
}

void hostile_thread::scribble() {
  roll_.fill(std::span(w_.shared).subspan(roll_.below(w_.shared.size() - 64), 64));
}

void hostile_thread::step() {
  struct choice {
    unsigned weight;
    void (hostile_thread::*run)();
  };
  static constexpr choice choices[] = {
      {4, &hostile_thread::create},         {4, &hostile_thread::call_control},
      {6, &hostile_thread::call_device},    {4, &hostile_thread::set_file},
      {2, &hostile_thread::configure},      {8, &hostile_thread::open_queue},
      {16, &hostile_thread::read_queue},    {24, &hostile_thread::write_queue},
      {4, &hostile_thread::map_page},       {4, &hostile_thread::look_through_window},
      {4, &hostile_thread::abuse_page},     {6, &hostile_thread::use_ring},
      {2, &hostile_thread::pass_on},        {2, &hostile_thread::receive},
      {4, &hostile_thread::close_one},      {2, &hostile_thread::disturb_file},
      {2, &hostile_thread::wait_somewhere}, {1, &hostile_thread::fork_child},
      {6, &hostile_thread::scribble},
  };
  unsigned sum = 0;
  for (const auto& one : choices) sum += one.weight;
  auto left = roll_.below(sum);
  for (const auto& one : choices) {
    if (left < one.weight) return (this->*one.run)();
    left -= one.weight;
  }
}

}  // namespace vloop::raw
