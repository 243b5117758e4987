// SPDX-License-Identifier: MIT
// Descriptors on their way from one process to another, one in a message.
#pragma once

#include <sys/types.h>

namespace vloop::raw {

// As sendmsg(2): 1, or -1 and errno. `flags` are its flags.
ssize_t send_descriptor(int socket, int fd, int flags);

// The descriptor, close-on-exec, which is the caller's; -1 if there was no message or none in it.
int receive_descriptor(int socket, int flags);

}  // namespace vloop::raw
