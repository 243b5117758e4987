// SPDX-License-Identifier: GPL-2.0
/*
 * Devices by their number, the N of vloopN.
 *
 * A number is taken for as long as its device exists in memory, but leads to the
 * device only from the end of VLOOP_CREATE until GONE.
 */
#include <linux/device.h>
#include <linux/idr.h>
#include <linux/spinlock.h>

#include "vloop.h"

static DEFINE_IDR(vloop_ids);
static DEFINE_SPINLOCK(vloop_ids_lock);

int vloop_id_alloc(void)
{
	int id;

	/* The lock is a spinlock: finding a device must not wait for memory. */
	idr_preload(GFP_KERNEL);
	spin_lock(&vloop_ids_lock);
	id = idr_alloc(&vloop_ids, NULL, 0, 0, GFP_NOWAIT);
	spin_unlock(&vloop_ids_lock);
	idr_preload_end();
	return id;
}

void vloop_id_free(int id)
{
	spin_lock(&vloop_ids_lock);
	idr_remove(&vloop_ids, id);
	spin_unlock(&vloop_ids_lock);
}

void vloop_id_publish(struct vloop_device *vd)
{
	spin_lock(&vloop_ids_lock);
	idr_replace(&vloop_ids, vd, vd->id);
	spin_unlock(&vloop_ids_lock);
}

void vloop_id_withdraw(struct vloop_device *vd)
{
	spin_lock(&vloop_ids_lock);
	idr_replace(&vloop_ids, NULL, vd->id);
	spin_unlock(&vloop_ids_lock);
}

/* The device with that number and a reference to it, or NULL. */
struct vloop_device *vloop_device_find(u32 id)
{
	struct vloop_device *vd;

	spin_lock(&vloop_ids_lock);
	vd = id <= INT_MAX ? idr_find(&vloop_ids, id) : NULL;
	/* Withdrawn under the lock before the last reference goes. */
	if (vd)
		get_device(&vd->dev);
	spin_unlock(&vloop_ids_lock);
	return vd;
}

/*
 * The first device from number *@id on and a reference to it, or NULL; *@id
 * becomes the number behind it.
 */
struct vloop_device *vloop_device_next(int *id)
{
	struct vloop_device *vd;

	spin_lock(&vloop_ids_lock);
	vd = idr_get_next(&vloop_ids, id);
	if (vd)
		get_device(&vd->dev);
	spin_unlock(&vloop_ids_lock);
	++*id;
	return vd;
}
