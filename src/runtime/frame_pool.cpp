// SPDX-License-Identifier: MIT
#include "runtime/frame_pool.hpp"

#include <array>
#include <new>

// A pooled block is poisoned while free, so that AddressSanitizer still finds a use of a dead frame.
#if defined(__SANITIZE_ADDRESS__)
#define VLOOP_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define VLOOP_ASAN 1
#endif
#endif
#ifdef VLOOP_ASAN
#include <sanitizer/asan_interface.h>
#define VLOOP_POISON(block, size) ASAN_POISON_MEMORY_REGION(block, size)
#define VLOOP_UNPOISON(block, size) ASAN_UNPOISON_MEMORY_REGION(block, size)
#else
#define VLOOP_POISON(block, size) static_cast<void>(0)
#define VLOOP_UNPOISON(block, size) static_cast<void>(0)
#endif

namespace vloop::frame_pool {
namespace {

constexpr std::size_t class_count = pooled_max / granularity;

struct free_block {
  free_block* next;
};

struct size_class {
  free_block* head = nullptr;
  std::uint32_t kept = 0;
};

constexpr std::size_t class_of(std::size_t size) {
  return (size - 1) / granularity;
}
constexpr std::size_t size_of(std::size_t index) {
  return (index + 1) * granularity;
}

// Trivially destructible on purpose: a frame may die after this thread's `keeper` (below) did, during the
// destruction of other thread-local objects; it then goes straight to the heap.
struct lists {
  std::array<size_class, class_count> classes;
  std::uint64_t heap_allocations;
  bool closed;
};
thread_local constinit lists mine{};

// Gives the blocks of an ending thread back to the heap.
struct keeper {
  ~keeper() {
    mine.closed = true;
    for (std::size_t i = 0; i < class_count; ++i) {
      while (free_block* block = mine.classes[i].head) {
        VLOOP_UNPOISON(block, size_of(i));
        mine.classes[i].head = block->next;
        ::operator delete(block);
      }
    }
  }
};

}  // namespace

void* allocate(std::size_t size) {
  if (size > pooled_max) {
    ++mine.heap_allocations;
    return ::operator new(size);
  }
  size_class& c = mine.classes[class_of(size)];
  if (free_block* block = c.head) {
    VLOOP_UNPOISON(block, size_of(class_of(size)));
    c.head = block->next;
    --c.kept;
    return block;
  }
  ++mine.heap_allocations;
  return ::operator new(size_of(class_of(size)));
}

void release(void* block, std::size_t size) noexcept {
  if (size > pooled_max || mine.closed || mine.classes[class_of(size)].kept == kept_per_class) {
    ::operator delete(block);
    return;
  }
  thread_local keeper at_thread_end;
  static_cast<void>(at_thread_end);
  size_class& c = mine.classes[class_of(size)];
  c.head = ::new (block) free_block{c.head};
  ++c.kept;
  VLOOP_POISON(block, size_of(class_of(size)));
}

std::uint64_t heap_allocations() noexcept {
  return mine.heap_allocations;
}

}  // namespace vloop::frame_pool
