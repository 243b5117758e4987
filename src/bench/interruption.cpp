// SPDX-License-Identifier: MIT
#include "bench/interruption.hpp"

namespace vloop::bench {
namespace {

volatile std::sig_atomic_t noted = 0;

void note(int number) {
  noted = number;
}

}  // namespace

interruption::interruption() {
  noted = 0;
  struct sigaction once {};
  once.sa_handler = note;
  once.sa_flags = static_cast<int>(SA_RESETHAND);  // and no SA_RESTART: who waits in the kernel comes back
  ::sigaction(SIGINT, &once, &before_int_);
  ::sigaction(SIGTERM, &once, &before_term_);
}

interruption::~interruption() {
  ::sigaction(SIGINT, &before_int_, nullptr);
  ::sigaction(SIGTERM, &before_term_, nullptr);
}

int interruption::signal() const {
  return noted;
}

}  // namespace vloop::bench
