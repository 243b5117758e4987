// SPDX-License-Identifier: GPL-2.0
/*
 * What a device keeps in memory, and cannot be swapped out, counts against the
 * RLIMIT_MEMLOCK of the user who opened /dev/vloop, beside what it is charged to
 * the memory cgroup.  CAP_IPC_LOCK lifts the limit, as elsewhere.
 */
#include <linux/capability.h>
#include <linux/cred.h>
#include <linux/mm.h>
#include <linux/sched/signal.h>
#include <linux/sched/user.h>

#include "vloop.h"

/* The opener counts, not who was given the descriptor. */
void vloop_charge_init(struct vloop_device *vd, struct file *control)
{
	if (!file_ns_capable(control, &init_user_ns, CAP_IPC_LOCK))
		vd->charged = get_cred(control->f_cred);
}

/* Given back with the device; -ENOMEM if that were more than the limit. */
int vloop_charge(struct vloop_device *vd, size_t bytes)
{
	unsigned long limit = rlimit(RLIMIT_MEMLOCK) >> PAGE_SHIFT;
	unsigned long pages = PAGE_ALIGN(bytes) >> PAGE_SHIFT;
	struct user_struct *user;
	long before;

	if (!vd->charged)
		return 0;
	user = vd->charged->user;
	before = atomic_long_read(&user->locked_vm);
	do {
		if (before + pages > limit)
			return -ENOMEM;
	} while (!atomic_long_try_cmpxchg(&user->locked_vm, &before,
					  before + pages));
	vd->charged_pages += pages;
	return 0;
}

void vloop_uncharge(struct vloop_device *vd)
{
	if (!vd->charged)
		return;
	atomic_long_sub(vd->charged_pages, &vd->charged->user->locked_vm);
	put_cred(vd->charged);
}
