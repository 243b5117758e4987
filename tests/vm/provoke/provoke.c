// SPDX-License-Identifier: GPL-2.0
/* Goes wrong on purpose when it is loaded: shows that the harness notices. */
#include <linux/delay.h>
#include <linux/kernel.h>
#include <linux/module.h>
#include <linux/sched.h>
#include <linux/string.h>

static char *what = "";
module_param(what, charp, 0);
MODULE_PARM_DESC(what, "warn, oops, bug or hang");

/* Uninterruptible for long enough that the hung-task detector speaks up. */
static void hang(void)
{
	set_current_state(TASK_UNINTERRUPTIBLE);
	schedule_timeout(30 * HZ);
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
	return 0;
}

static void __exit provoke_exit(void)
{
}

module_init(provoke_init);
module_exit(provoke_exit);
MODULE_DESCRIPTION("Kernel faults on purpose, for the VM harness's self-test");
MODULE_LICENSE("GPL");
