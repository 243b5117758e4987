// SPDX-License-Identifier: GPL-2.0
/*
 * The table of backing files that operations name by index.
 *
 * Writers hold vloop_device.lock; operations look entries up by RCU and hold a
 * reference while they run, so that an entry may be replaced at any time.
 */
#include <linux/blkdev.h>
#include <linux/dcache.h>
#include <linux/file.h>
#include <linux/nospec.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include "vloop.h"

/* Two devices that are tied to each other at the same time would make a loop. */
static DEFINE_MUTEX(vloop_ties_lock);

/*
 * The entry with a reference, or NULL if there is none.  One whose last reference
 * went while we looked at it was replaced, so there is another, or none, to be
 * found: an entry that is never empty must never look so.
 */
struct vloop_file *vloop_file_get(struct vloop_device *vd, u16 index)
{
	struct vloop_file *vf;

	if (index >= VLOOP_FILES_MAX)
		return NULL;
	index = array_index_nospec(index, VLOOP_FILES_MAX);
	rcu_read_lock();
	do {
		vf = rcu_dereference(vd->files[index]);
	} while (vf && !refcount_inc_not_zero(&vf->users));
	rcu_read_unlock();
	return vf;
}

void vloop_file_put(struct vloop_file *vf)
{
	if (vf && refcount_dec_and_test(&vf->users)) {
		fput(vf->file);
		kfree_rcu(vf, rcu);
	}
}

void vloop_files_empty(struct vloop_device *vd)
{
	unsigned int i;

	for (i = 0; i < VLOOP_FILES_MAX; i++)
		vloop_file_put(rcu_replace_pointer(vd->files[i], NULL, true));
}

/* Where the file's data is, as far as that is one disk. */
static struct gendisk *disk_below(struct file *file)
{
	struct inode *inode = file->f_mapping->host;
	struct block_device *bdev;

	if (S_ISBLK(inode->i_mode))
		return I_BDEV(inode)->bd_disk;
	/* On an overlay the data is in a file of another file system. */
	bdev = d_real_inode(file->f_path.dentry)->i_sb->s_bdev;
	return bdev ? bdev->bd_disk : NULL;
}

/*
 * The device whose driver made @disk, with a reference, or NULL.  The parent may
 * be gone already: it is compared, not looked at.
 */
static struct vloop_device *device_of_disk(struct gendisk *disk)
{
	struct vloop_device *vd;
	int id = 0;

	for (; (vd = vloop_device_next(&id)); put_device(&vd->dev))
		if (disk_to_dev(disk)->parent == &vd->vdev.dev)
			return vd;
	return NULL;
}

/* Append the device that the file's data comes from, unless it is there. */
static void add_device_below(struct list_head *devices, struct file *file)
{
	struct gendisk *disk = disk_below(file);
	struct vloop_device *vd;

	vd = disk ? device_of_disk(disk) : NULL;
	if (!vd)
		return;
	if (list_empty(&vd->below))
		list_add_tail(&vd->below, devices);
	else
		put_device(&vd->dev);
}

static void add_devices_below(struct list_head *devices,
			      struct vloop_device *vd)
{
	struct vloop_file *vf;
	unsigned int i;

	for (i = 0; i < VLOOP_FILES_MAX; i++) {
		vf = vloop_file_get(vd, i);
		if (vf)
			add_device_below(devices, vf->file);
		vloop_file_put(vf);
	}
}

/*
 * A disk whose backing is itself would wait for itself, be it directly, through
 * a file system on it, or through other vloop disks.  With vloop_ties_lock; each
 * device is visited once.
 */
static bool leads_back(struct vloop_device *origin, struct file *file)
{
	struct vloop_device *vd, *next;
	LIST_HEAD(devices);
	bool found = false;

	add_device_below(&devices, file);
	/* Grows at its end meanwhile. */
	list_for_each_entry(vd, &devices, below) {
		found = vd == origin;
		if (found)
			break;
		add_devices_below(&devices, vd);
	}
	list_for_each_entry_safe(vd, next, &devices, below) {
		list_del_init(&vd->below);
		put_device(&vd->dev);
	}
	return found;
}

static int check_file(struct file *file)
{
	struct inode *inode = file->f_mapping->host;

	if (!S_ISREG(inode->i_mode) && !S_ISBLK(inode->i_mode))
		return -EINVAL;
	/* Every write would land at the end, wherever it was meant to. */
	if (file->f_flags & O_APPEND)
		return -EINVAL;
	return 0;
}

static struct vloop_file *wrap_file(int fd)
{
	struct vloop_file *vf;
	int err;

	vf = kzalloc(sizeof(*vf), GFP_KERNEL_ACCOUNT);
	if (!vf)
		return ERR_PTR(-ENOMEM);
	refcount_set(&vf->users, 1);
	vf->file = fget(fd);
	if (!vf->file) {
		kfree(vf);
		return ERR_PTR(-EBADF);
	}
	err = check_file(vf->file);
	if (err) {
		vloop_file_put(vf);
		return ERR_PTR(err);
	}
	return vf;
}

/* Returns 0 with what was there before in *@vf, or why @vf may not be there. */
static int replace_file(struct vloop_session *session, u32 index,
			struct vloop_file **vf)
{
	struct vloop_device *vd = session->device;
	int err = 0;

	mutex_lock(&vd->lock);
	if (session->over || vd->state == VLOOP_STATE_GONE)
		err = -ENODEV;
	else
		*vf = rcu_replace_pointer(vd->files[index], *vf,
					  lockdep_is_held(&vd->lock));
	mutex_unlock(&vd->lock);
	return err;
}

long vloop_set_file(struct vloop_session *session, void __user *user)
{
	struct vloop_file *vf = NULL;
	struct vloop_set_file arg;
	int err;

	if (copy_from_user(&arg, user, sizeof(arg)))
		return -EFAULT;
	if (arg.index >= VLOOP_FILES_MAX || arg.fd < -1 || arg.reserved[0] ||
	    arg.reserved[1])
		return -EINVAL;
	arg.index = array_index_nospec(arg.index, VLOOP_FILES_MAX);
	if (arg.fd >= 0) {
		vf = wrap_file(arg.fd);
		if (IS_ERR(vf))
			return PTR_ERR(vf);
	}
	mutex_lock(&vloop_ties_lock);
	if (vf && leads_back(session->device, vf->file))
		err = -EBUSY;
	else
		err = replace_file(session, arg.index, &vf);
	mutex_unlock(&vloop_ties_lock);
	vloop_file_put(vf);
	return err;
}
