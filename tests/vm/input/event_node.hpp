// SPDX-License-Identifier: MIT
// An event node, as its readers see it.
#pragma once

#include <string>
#include <vector>

#include "event_script.hpp"

class event_node {
 public:
  explicit event_node(const std::string& path);
  ~event_node();
  event_node(const event_node&) = delete;
  event_node& operator=(const event_node&) = delete;

  // The next event; throws after `seconds`, and if the node's own buffer has run over.
  event next(int seconds);

  // Keys, switches and axes, as one text that can be compared.
  std::string state() const;

  // As an application that switches an LED.
  void write(const event& e) const;

 private:
  int fd_;
  std::vector<input_event> read_;
  std::size_t next_ = 0;
};
