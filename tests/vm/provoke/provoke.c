// SPDX-License-Identifier: GPL-2.0
/* Goes wrong on purpose when it is loaded: shows that the harness notices. */
#include <linux/compiler.h>
#include <linux/delay.h>
#include <linux/kernel.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/sched.h>
#include <linux/slab.h>
#include <linux/spinlock.h>
#include <linux/string.h>

static char *what = "";
module_param(what, charp, 0);
MODULE_PARM_DESC(what, "warn, oops, bug, hang; for debug kernels: locks, sleep, shift, stale, leak");

/* Uninterruptible for long enough that the hung-task detector speaks up. */
static void hang(void)
{
	set_current_state(TASK_UNINTERRUPTIBLE);
	schedule_timeout(30 * HZ);
}

/* Nobody ever waits here: only the lock checker can tell. */
static void take_locks_in_both_orders(void)
{
	static DEFINE_MUTEX(one);
	static DEFINE_MUTEX(other);

	mutex_lock(&one);
	mutex_lock(&other);
	mutex_unlock(&other);
	mutex_unlock(&one);

	mutex_lock(&other);
	mutex_lock(&one);
	mutex_unlock(&one);
	mutex_unlock(&other);
}

static void sleep_with_a_spinlock(void)
{
	static DEFINE_SPINLOCK(lock);

	spin_lock(&lock);
	might_sleep();
	spin_unlock(&lock);
}

static void shift_too_far(void)
{
	int by = 40;

	OPTIMIZER_HIDE_VAR(by);
	pr_info("shifted: %d\n", 1 << by);
}

static void use_freed_memory(void)
{
	int *memory = kmalloc(64, GFP_KERNEL);
	int *freed = memory;

	OPTIMIZER_HIDE_VAR(freed);
	kfree(memory);
	if (freed)
		WRITE_ONCE(*freed, 1);
}

static void lose_memory(void)
{
	void *memory = kmalloc(777, GFP_KERNEL);

	OPTIMIZER_HIDE_VAR(memory);
}

static int __init provoke_init(void)
{
	if (!strcmp(what, "warn"))
		WARN(1, "provoked\n");
	else if (!strcmp(what, "oops"))
		WRITE_ONCE(*(volatile int *)8, 1);
	else if (!strcmp(what, "bug"))
		BUG();
	else if (!strcmp(what, "hang"))
		hang();
	else if (!strcmp(what, "locks"))
		take_locks_in_both_orders();
	else if (!strcmp(what, "sleep"))
		sleep_with_a_spinlock();
	else if (!strcmp(what, "shift"))
		shift_too_far();
	else if (!strcmp(what, "stale"))
		use_freed_memory();
	else if (!strcmp(what, "leak"))
		lose_memory();
	return 0;
}

static void __exit provoke_exit(void)
{
}

module_init(provoke_init);
module_exit(provoke_exit);
MODULE_DESCRIPTION("Kernel faults on purpose, for the VM harness's self-test");
MODULE_LICENSE("GPL");
