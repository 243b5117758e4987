// SPDX-License-Identifier: MIT
// Before liburing, in a program that runs under valgrind: that runs one thread at a time and, up to 3.19 at least, lets no
// other run while one sleeps in io_uring_enter. So the sleep is a poll() here, which it knows; and that needs a ring whose
// completions come without being asked for.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <liburing.h>
#include <poll.h>

typedef int init_function(unsigned, struct io_uring *, struct io_uring_params *);

int io_uring_queue_init_params(unsigned entries, struct io_uring *ring, struct io_uring_params *params)
{
	const unsigned asked_for = IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN |
				   IORING_SETUP_COOP_TASKRUN | IORING_SETUP_TASKRUN_FLAG;
	init_function *real = (init_function *)dlsym(RTLD_NEXT, "io_uring_queue_init_params");

	params->flags &= ~asked_for;
	return real(entries, ring, params);
}

int io_uring_queue_init(unsigned entries, struct io_uring *ring, unsigned flags)
{
	struct io_uring_params params = { .flags = flags };

	return io_uring_queue_init_params(entries, ring, &params);
}

int io_uring_submit_and_wait(struct io_uring *ring, unsigned wait_for)
{
	const int submitted = io_uring_submit(ring);
	struct pollfd one = { .fd = ring->ring_fd, .events = POLLIN };

	while (submitted >= 0 && wait_for > 0 && io_uring_cq_ready(ring) == 0)
		poll(&one, 1, 100);
	return submitted;
}
