// SPDX-License-Identifier: GPL-2.0
/* /dev/vloop: says what the module can do, creates devices, finds servers for them. */
#include <linux/fs.h>
#include <linux/module.h>
#include <linux/uaccess.h>
#include <xen/xen.h>

#include "vloop.h"

static long vloop_get_info(void __user *user)
{
	struct vloop_info info = {
		.abi_version = VLOOP_ABI_VERSION,
		.queues_max = VLOOP_QUEUES_MAX,
		.queue_size_max = VLOOP_QUEUE_SIZE_MAX,
		.files_max = VLOOP_FILES_MAX,
		.config_max = VLOOP_CONFIG_MAX,
		.copy_max = VLOOP_COPY_MAX,
		.transport_features = VLOOP_TRANSPORT_FEATURES,
	};

	return copy_to_user(user, &info, sizeof(info)) ? -EFAULT : 0;
}

static long vloop_create(struct file *file, struct vloop_create __user *user)
{
	struct vloop_create arg;

	if (copy_from_user(&arg, user, sizeof(arg)))
		return -EFAULT;
	if (arg.flags & ~VLOOP_CREATE_WINDOW ||
	    memchr_inv(arg.reserved, 0, sizeof(arg.reserved)))
		return -EINVAL;
	return vloop_device_create(&arg, user, file);
}

static long vloop_attach_ioctl(struct file *file, void __user *user)
{
	struct vloop_attach arg;

	if (copy_from_user(&arg, user, sizeof(arg)))
		return -EFAULT;
	if (arg.pad || memchr_inv(arg.reserved, 0, sizeof(arg.reserved)))
		return -EINVAL;
	return vloop_attach(file, &arg);
}

static long vloop_stop_ioctl(struct file *file, void __user *user)
{
	struct vloop_stop arg;

	if (copy_from_user(&arg, user, sizeof(arg)))
		return -EFAULT;
	if (memchr_inv(arg.reserved, 0, sizeof(arg.reserved)))
		return -EINVAL;
	return vloop_stop(file, &arg);
}

static long vloop_ioctl(struct file *file, unsigned int cmd, unsigned long arg)
{
	void __user *user = (void __user *)arg;

	switch (cmd) {
	case VLOOP_GET_INFO:
		return vloop_get_info(user);
	case VLOOP_CREATE:
		return vloop_create(file, user);
	case VLOOP_ATTACH:
		return vloop_attach_ioctl(file, user);
	case VLOOP_STOP:
		return vloop_stop_ioctl(file, user);
	default:
		return -ENOTTY;
	}
}

static const struct file_operations vloop_fops = {
	.owner = THIS_MODULE,
	.unlocked_ioctl = vloop_ioctl,
	.compat_ioctl = compat_ptr_ioctl,
	.llseek = noop_llseek,
};

static struct miscdevice vloop_misc = {
	.minor = MISC_DYNAMIC_MINOR,
	.name = "vloop",
	.mode = 0600,
	.fops = &vloop_fops,
};

static int __init vloop_init(void)
{
	int err;

	BUILD_BUG_ON(sizeof(struct vloop_op) != 64);
	BUILD_BUG_ON(sizeof(struct vloop_record) != 64);
	BUILD_BUG_ON(sizeof(struct vloop_queue_config) != 16);
	BUILD_BUG_ON(sizeof(struct vloop_queue_stats) > PAGE_SIZE);

	/* Completions call the drivers with interrupts off. */
	if (IS_ENABLED(CONFIG_PREEMPT_RT)) {
		pr_err("vloop: PREEMPT_RT kernels are not supported\n");
		return -EOPNOTSUPP;
	}

	/* There virtio_ring uses the DMA API even without ACCESS_PLATFORM. */
	if (xen_domain()) {
		pr_err("vloop: Xen guests are not supported\n");
		return -EOPNOTSUPP;
	}

	err = vloop_devices_init();
	if (err)
		return err;
	err = misc_register(&vloop_misc);
	if (err)
		vloop_devices_exit();
	return err;
}
module_init(vloop_init);

static void __exit vloop_exit(void)
{
	misc_deregister(&vloop_misc);
	vloop_devices_exit();
}
module_exit(vloop_exit);

MODULE_DESCRIPTION("virtio devices implemented by processes on the same kernel");
MODULE_LICENSE("GPL");
