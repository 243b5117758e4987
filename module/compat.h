/* SPDX-License-Identifier: GPL-2.0 */
/* What differs between the supported kernels, and nothing else. */
#ifndef VLOOP_COMPAT_H
#define VLOOP_COMPAT_H

#include <linux/fs.h>
#include <linux/mm.h>
#include <linux/uio.h>
#include <linux/version.h>
#include <linux/virtio_config.h>

#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 1, 0)
#error "vloop needs Linux 6.1 or later"
#endif

#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 3, 0)
static inline void vm_flags_clear(struct vm_area_struct *vma, vm_flags_t flags)
{
	vma->vm_flags &= ~flags;
}

static inline void vm_flags_set(struct vm_area_struct *vma, vm_flags_t flags)
{
	vma->vm_flags |= flags;
}
#endif

/* kiocb_end_write() under a name of ours: stable kernels have it or not. */
static inline void vloop_kiocb_end_write(struct kiocb *iocb)
{
	struct super_block *sb = file_inode(iocb->ki_filp)->i_sb;

	__sb_writers_acquired(sb, SB_FREEZE_WRITE);
	sb_end_write(sb);
}

/*
 * Since 6.8 this takes freeze protection itself, and gives it back unless the
 * result is -EIOCBQUEUED; then whoever completes calls vloop_kiocb_end_write().
 */
static inline ssize_t vloop_iocb_iter_write(struct file *file,
					    struct kiocb *iocb,
					    struct iov_iter *iter)
{
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 8, 0)
	return vfs_iocb_iter_write(file, iocb, iter);
#else
	struct super_block *sb = file_inode(file)->i_sb;
	ssize_t ret;

	sb_start_write(sb);
	/* Ended by whoever completes: lockdep must not expect it from us. */
	__sb_writers_release(sb, SB_FREEZE_WRITE);
	ret = vfs_iocb_iter_write(file, iocb, iter);
	if (ret != -EIOCBQUEUED)
		vloop_kiocb_end_write(iocb);
	return ret;
#endif
}

#ifndef __counted_by
#define __counted_by(member)
#endif

#ifndef ITER_DEST
#define ITER_SOURCE	WRITE
#define ITER_DEST	READ
#endif

/* Whether a buffered write may be tried without blocking (btrfs, xfs, block devices). */
static inline bool vloop_buffered_write_nowait(struct file *file)
{
#ifdef FOP_BUFFER_WASYNC
	return file->f_op->fop_flags & FOP_BUFFER_WASYNC;
#else
	return file->f_mode & FMODE_BUF_WASYNC;
#endif
}

#endif /* VLOOP_COMPAT_H */
