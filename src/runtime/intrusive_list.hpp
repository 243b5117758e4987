// SPDX-License-Identifier: MIT
// A list whose links lie in its members: adding and removing allocates nothing. Removing the member that any_of is
// visiting is allowed.
#pragma once

#include <cassert>

namespace vloop {

/// Base of a member. It leaves its list when it is destroyed.
class list_hook {
 public:
  list_hook() noexcept = default;
  list_hook(const list_hook&) = delete;
  list_hook& operator=(const list_hook&) = delete;

  [[nodiscard]] bool linked() const noexcept { return next_ != nullptr; }
  void unlink() noexcept {
    if (!linked()) return;
    previous_->next_ = next_;
    next_->previous_ = previous_;
    next_ = previous_ = nullptr;
  }

 protected:
  ~list_hook() { unlink(); }

 private:
  template <class T>
  friend class intrusive_list;
  list_hook* next_ = nullptr;
  list_hook* previous_ = nullptr;
};

template <class T>
class intrusive_list {
 public:
  intrusive_list() noexcept { head_.next_ = head_.previous_ = &head_; }
  ~intrusive_list() {
    while (!empty()) head_.next_->unlink();
  }
  intrusive_list(const intrusive_list&) = delete;
  intrusive_list& operator=(const intrusive_list&) = delete;

  [[nodiscard]] bool empty() const noexcept { return head_.next_ == &head_; }

  void push_back(T& member) noexcept {
    list_hook& hook = member;
    assert(!hook.linked() && "a member is in one list, once");
    hook.previous_ = head_.previous_;
    hook.next_ = &head_;
    head_.previous_->next_ = &hook;
    head_.previous_ = &hook;
  }

  /// Visits the members in order until `visit` returns true; whether one did.
  template <class Visit>
  bool any_of(Visit&& visit) {
    for (list_hook* at = head_.next_; at != &head_;) {
      list_hook* next = at->next_;
      if (visit(static_cast<T&>(*at))) return true;
      at = next;
    }
    return false;
  }

 private:
  struct end_hook : list_hook {};
  end_hook head_;
};

}  // namespace vloop
