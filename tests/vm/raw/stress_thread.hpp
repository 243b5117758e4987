// SPDX-License-Identifier: MIT
// A thread of the hostile process: one call after the other, as its dice fall. Where it asks for descriptors or
// requests of others, those may be gone or be something else by now.
#pragma once

#include "stress_world.hpp"

#include <liburing.h>

namespace vloop::raw {

class hostile_thread {
 public:
  hostile_thread(world& w, std::uint64_t seed, bool may_wait) : w_(w), roll_(seed), may_wait_(may_wait) {
    ring_works_ = ::io_uring_queue_init(16, &ring_, 0) == 0;
  }

  void step();

 private:
  long counted(long result);
  void* argument(std::size_t bytes);

  void create();
  void call_control();
  void call_device();
  void set_file();
  void configure();
  void open_queue();
  void read_queue();
  void write_queue();
  vloop_op some_op();
  void map_page();
  void look_through_window();
  void abuse_page();
  void use_ring();
  void pass_on();
  void receive();
  void close_one();
  void disturb_file();
  void wait_somewhere();
  void fork_child();
  void scribble();

  world& w_;
  dice roll_;
  bool may_wait_;
  io_uring ring_{};
  bool ring_works_;
};

// Of what an answer that the module takes could look like: a disk has a header that says what it wants, entropy and
// events want bytes, which are taken from `memory`.
vloop_op some_answer(const vloop_record& record, const void* memory);

}  // namespace vloop::raw
