// SPDX-License-Identifier: GPL-2.0
/*
 * The configuration space (virtio 1.3, section 2.5): either plain bytes, or
 * pages of which the driver selects one by writing the first two bytes, as
 * input devices have it.
 *
 * Everything is read and changed under vloop_config_space.lock, so what one
 * read returns belongs together.  Nothing waits for a process under that lock:
 * drivers take it in probe and remove.
 */
#include <linux/slab.h>
#include <linux/uaccess.h>
#include <linux/virtio_config.h>

#include "vloop.h"

#define PAGE_HEADER	offsetof(struct vloop_config_page, data)

/* Reads beyond the end give zeroes: drivers probe for fields by feature only. */
void vloop_config_read(struct vloop_device *vd, unsigned int offset,
		       void *buf, unsigned int len)
{
	struct vloop_config_space *space = &vd->config;
	unsigned int there = 0, end = space->length;
	const u8 *data;

	mutex_lock(&space->lock);
	data = space->data;
	if (space->num_pages) {
		data = (const u8 *)&space->selected;
		end = PAGE_HEADER + space->selected.size;
	}
	if (offset < end)
		there = min(len, end - offset);
	memcpy(buf, data + offset, there);
	mutex_unlock(&space->lock);
	memset(buf + there, 0, len - there);
}

/* A selection without a page reads as one of no size. */
static void select_page(struct vloop_config_space *space, u8 select, u8 subsel)
{
	unsigned int i;

	memset(&space->selected, 0, sizeof(space->selected));
	space->selected.select = select;
	space->selected.subsel = subsel;
	for (i = 0; i < space->num_pages; i++)
		if (space->pages[i].select == select &&
		    space->pages[i].subsel == subsel)
			space->selected = space->pages[i];
}

/* The selector is all that a driver can write; the rest is ignored. */
void vloop_config_write(struct vloop_device *vd, unsigned int offset,
			const void *buf, unsigned int len)
{
	struct vloop_config_space *space = &vd->config;
	const u8 *bytes = buf;
	u8 selector[2];
	unsigned int i;

	if (!space->num_pages)
		return;
	mutex_lock(&space->lock);
	selector[0] = space->selected.select;
	selector[1] = space->selected.subsel;
	for (i = 0; i < len && offset + i < sizeof(selector); i++)
		selector[offset + i] = bytes[i];
	select_page(space, selector[0], selector[1]);
	mutex_unlock(&space->lock);
}

u32 vloop_config_generation(struct vloop_device *vd)
{
	return READ_ONCE(vd->config.generation);
}

/* Charged to the caller, unlike memdup_user(). */
static void *copy_in(u64 address, size_t size)
{
	void *data = kvmalloc(size, GFP_KERNEL_ACCOUNT | __GFP_NOWARN);

	if (!data)
		return ERR_PTR(-ENOMEM);
	if (copy_from_user(data, u64_to_user_ptr(address), size)) {
		kvfree(data);
		return ERR_PTR(-EFAULT);
	}
	return data;
}

static int check_page(struct vloop_config_page *page)
{
	if (page->size > sizeof(page->data) ||
	    memchr_inv(page->reserved, 0, sizeof(page->reserved)))
		return -EINVAL;
	/* What does not count is not shown either. */
	memset(page->data + page->size, 0, sizeof(page->data) - page->size);
	return 0;
}

static int init_pages(struct vloop_config_space *space,
		      const struct vloop_create *arg)
{
	struct vloop_config_page *pages;
	unsigned int i;
	int err = 0;

	if (!arg->num_pages)
		return 0;
	pages = copy_in(arg->pages, array_size(arg->num_pages, sizeof(*pages)));
	if (IS_ERR(pages))
		return PTR_ERR(pages);
	space->pages = pages;
	space->num_pages = arg->num_pages;
	for (i = 0; i < arg->num_pages && !err; i++)
		err = check_page(&pages[i]);
	select_page(space, 0, 0);
	return err;
}

/* vloop_config_destroy() frees it, also after a failure. */
int vloop_config_init(struct vloop_device *vd, const struct vloop_create *arg)
{
	struct vloop_config_space *space = &vd->config;
	void *data;

	if (arg->config_len && arg->num_pages)
		return -EINVAL;
	if (arg->config_len) {
		data = copy_in(arg->config, arg->config_len);
		if (IS_ERR(data))
			return PTR_ERR(data);
		space->data = data;
		space->length = arg->config_len;
	}
	return init_pages(space, arg);
}

void vloop_config_destroy(struct vloop_device *vd)
{
	kvfree(vd->config.data);
	kvfree(vd->config.pages);
}

/*
 * A driver that is being registered may not be called yet: who makes the device
 * LIVE calls this too.
 */
void vloop_config_tell(struct vloop_device *vd)
{
	lockdep_assert_held(&vd->lock);
	if (!vd->config.untold || vd->state != VLOOP_STATE_LIVE)
		return;
	vd->config.untold = false;
	virtio_config_changed(&vd->vdev);
}

static int get_argument(struct vloop_device *vd, struct vloop_config *arg,
			void __user *user)
{
	if (copy_from_user(arg, user, sizeof(*arg)))
		return -EFAULT;
	if (arg->pad || memchr_inv(arg->reserved, 0, sizeof(arg->reserved)))
		return -EINVAL;
	/* The length never changes. */
	if (!arg->length || arg->length != vd->config.length)
		return -EINVAL;
	return 0;
}

long vloop_get_config(struct vloop_session *session, void __user *user)
{
	struct vloop_device *vd = session->device;
	struct vloop_config arg;
	void *copy;
	int err;

	err = get_argument(vd, &arg, user);
	if (err)
		return err;
	/* Process memory may take for ever, and a driver may want the lock. */
	copy = kmalloc(arg.length, GFP_KERNEL_ACCOUNT);
	if (!copy)
		return -ENOMEM;
	mutex_lock(&vd->config.lock);
	memcpy(copy, vd->config.data, arg.length);
	mutex_unlock(&vd->config.lock);
	if (copy_to_user(u64_to_user_ptr(arg.data), copy, arg.length))
		err = -EFAULT;
	kfree(copy);
	return err;
}

/* Returns whether that changed anything; *@data is then what was there. */
static bool replace_data(struct vloop_config_space *space, void **data)
{
	bool changed;

	mutex_lock(&space->lock);
	changed = memcmp(space->data, *data, space->length);
	if (changed) {
		swap(space->data, *data);
		WRITE_ONCE(space->generation, space->generation + 1);
	}
	mutex_unlock(&space->lock);
	return changed;
}

long vloop_set_config(struct vloop_session *session, void __user *user)
{
	struct vloop_device *vd = session->device;
	struct vloop_config arg;
	void *data;
	int err;

	err = get_argument(vd, &arg, user);
	if (err)
		return err;
	data = copy_in(arg.data, arg.length);
	if (IS_ERR(data))
		return PTR_ERR(data);
	err = vloop_check_config(vd, data);
	if (err)
		goto free;

	mutex_lock(&vd->lock);
	if (session->over || vd->state == VLOOP_STATE_REMOVING ||
	    vd->state == VLOOP_STATE_GONE) {
		err = -ENODEV;
	} else if (replace_data(&vd->config, &data)) {
		vd->config.untold = true;
		vloop_config_tell(vd);
	}
	mutex_unlock(&vd->lock);
free:
	kvfree(data);
	return err;
}
