// SPDX-License-Identifier: GPL-2.0
/*
 * What /sys/class/vloop/vloopN tells: enough to list devices and to serve one
 * again, without a descriptor of it.
 */
#include <linux/cred.h>
#include <linux/kernel.h>
#include <linux/kobject.h>
#include <linux/sched/mm.h>
#include <linux/slab.h>
#include <linux/string_helpers.h>
#include <linux/sysfs.h>
#include <linux/user_namespace.h>

#include "vloop.h"

static struct vloop_device *dev_to_vloop(struct device *dev)
{
	return container_of(dev, struct vloop_device, dev);
}

/* One word for both: where the device is in its life, and who answers. */
static const char *state_name(const struct vloop_device *vd)
{
	static const char * const names[] = {
		[VLOOP_STATE_CREATED] = "created",
		[VLOOP_STATE_STARTING] = "starting",
		[VLOOP_STATE_LIVE] = "live",
		[VLOOP_STATE_REMOVING] = "removing",
		[VLOOP_STATE_GONE] = "gone",
	};

	if (vd->state != VLOOP_STATE_REMOVING && vd->state != VLOOP_STATE_GONE) {
		if (vd->service == VLOOP_SERVICE_DESERTED)
			return "deserted";
		if (vd->service == VLOOP_SERVICE_FAILING)
			return "failing";
	}
	return names[vd->state];
}

static ssize_t state_show(struct device *dev, struct device_attribute *attr,
			  char *buf)
{
	struct vloop_device *vd = dev_to_vloop(dev);
	const char *name;

	mutex_lock(&vd->lock);
	name = state_name(vd);
	mutex_unlock(&vd->lock);
	return sysfs_emit(buf, "%s\n", name);
}
static DEVICE_ATTR_RO(state);

static ssize_t server_pid_show(struct device *dev,
			       struct device_attribute *attr, char *buf)
{
	struct vloop_device *vd = dev_to_vloop(dev);
	pid_t pid;

	mutex_lock(&vd->lock);
	pid = vloop_server_pid(vd);
	mutex_unlock(&vd->lock);
	return sysfs_emit(buf, "%d\n", pid);
}
static DEVICE_ATTR_RO(server_pid);

static ssize_t on_exit_show(struct device *dev, struct device_attribute *attr,
			    char *buf)
{
	static const char * const names[] = {
		[VLOOP_EXIT_FAIL] = "fail",
		[VLOOP_EXIT_QUEUE] = "queue",
		[VLOOP_EXIT_REISSUE] = "reissue",
		[VLOOP_EXIT_FAIL_FAST] = "fail-fast",
	};

	return sysfs_emit(buf, "%s\n", names[dev_to_vloop(dev)->on_exit]);
}
static DEVICE_ATTR_RO(on_exit);

static ssize_t access_show(struct device *dev, struct device_attribute *attr,
			   char *buf)
{
	return sysfs_emit(buf, "%s\n", dev_to_vloop(dev)->window ?
			  "window" : "mover");
}
static DEVICE_ATTR_RO(access);

static ssize_t grace_ms_show(struct device *dev, struct device_attribute *attr,
			     char *buf)
{
	return sysfs_emit(buf, "%u\n", dev_to_vloop(dev)->grace_ms);
}
static DEVICE_ATTR_RO(grace_ms);

static ssize_t recoveries_show(struct device *dev,
			       struct device_attribute *attr, char *buf)
{
	return sysfs_emit(buf, "%u\n", READ_ONCE(dev_to_vloop(dev)->recoveries));
}
static DEVICE_ATTR_RO(recoveries);

static ssize_t device_id_show(struct device *dev, struct device_attribute *attr,
			      char *buf)
{
	return sysfs_emit(buf, "%u\n", dev_to_vloop(dev)->device_id);
}
static DEVICE_ATTR_RO(device_id);

static ssize_t features_show(struct device *dev, struct device_attribute *attr,
			     char *buf)
{
	return sysfs_emit(buf, "0x%llx\n", dev_to_vloop(dev)->features);
}
static DEVICE_ATTR_RO(features);

static ssize_t driver_features_show(struct device *dev,
				    struct device_attribute *attr, char *buf)
{
	return sysfs_emit(buf, "0x%llx\n",
			  READ_ONCE(dev_to_vloop(dev)->vdev.features));
}
static DEVICE_ATTR_RO(driver_features);

static ssize_t num_queues_show(struct device *dev,
			       struct device_attribute *attr, char *buf)
{
	return sysfs_emit(buf, "%u\n", dev_to_vloop(dev)->num_queues);
}
static DEVICE_ATTR_RO(num_queues);

static ssize_t queue_sizes_show(struct device *dev,
				struct device_attribute *attr, char *buf)
{
	struct vloop_device *vd = dev_to_vloop(dev);
	unsigned int i;
	int at = 0;

	for (i = 0; i < vd->num_queues; i++)
		at += sysfs_emit_at(buf, at, "%s%u", i ? " " : "",
				    vd->queues[i].size);
	return at + sysfs_emit_at(buf, at, "\n");
}
static DEVICE_ATTR_RO(queue_sizes);

/* As the reader's user namespace knows the user. */
static ssize_t owner_show(struct device *dev, struct device_attribute *attr,
			  char *buf)
{
	return sysfs_emit(buf, "%u\n", from_kuid_munged(current_user_ns(),
							dev_to_vloop(dev)->owner));
}
static DEVICE_ATTR_RO(owner);

static ssize_t description_show(struct device *dev,
				struct device_attribute *attr, char *buf)
{
	const char *text = dev_to_vloop(dev)->description;

	return sysfs_emit(buf, "%s\n", text ?: "");
}
static DEVICE_ATTR_RO(description);

#define CONFIG_SHOWN_MAX	1024

static ssize_t config_show(struct device *dev, struct device_attribute *attr,
			   char *buf)
{
	struct vloop_config_space *space = &dev_to_vloop(dev)->config;
	u32 shown = min_t(u32, space->length, CONFIG_SHOWN_MAX);
	char *end;

	mutex_lock(&space->lock);
	end = bin2hex(buf, space->data, shown);
	mutex_unlock(&space->lock);
	*end++ = '\n';
	return end - buf;
}
static DEVICE_ATTR_RO(config);

/* A line per file; a path that has no room any more is left away with its line. */
static int emit_file(char *buf, int at, unsigned int index, struct file *file,
		     char *scratch)
{
	char *path = file_path(file, scratch, PAGE_SIZE);
	int start = at, room;

	if (IS_ERR(path))
		return 0;
	at += sysfs_emit_at(buf, at, "%u ", index);
	room = PAGE_SIZE - 1 - at;
	if (room <= 0)
		return 0;
	/* A path is one line, whatever is in it. */
	at += string_escape_str(path, buf + at, room, ESCAPE_OCTAL, "\n\\");
	if (at >= PAGE_SIZE - 1)
		return 0;
	at += sysfs_emit_at(buf, at, "\n");
	return at - start;
}

static ssize_t files_show(struct device *dev, struct device_attribute *attr,
			  char *buf)
{
	struct vloop_device *vd = dev_to_vloop(dev);
	struct vloop_file *vf;
	unsigned int i;
	char *scratch;
	int at = 0;

	scratch = (char *)__get_free_page(GFP_KERNEL);
	if (!scratch)
		return -ENOMEM;
	for (i = 0; i < VLOOP_FILES_MAX; i++) {
		vf = vloop_file_get(vd, i);
		if (vf)
			at += emit_file(buf, at, i, vf->file, scratch);
		vloop_file_put(vf);
	}
	free_page((unsigned long)scratch);
	return at;
}
static DEVICE_ATTR_RO(files);

static struct attribute *vloop_attrs[] = {
	&dev_attr_state.attr,
	&dev_attr_server_pid.attr,
	&dev_attr_on_exit.attr,
	&dev_attr_access.attr,
	&dev_attr_grace_ms.attr,
	&dev_attr_recoveries.attr,
	&dev_attr_device_id.attr,
	&dev_attr_features.attr,
	&dev_attr_driver_features.attr,
	&dev_attr_num_queues.attr,
	&dev_attr_queue_sizes.attr,
	&dev_attr_owner.attr,
	&dev_attr_description.attr,
	&dev_attr_config.attr,
	&dev_attr_files.attr,
	NULL,
};
ATTRIBUTE_GROUPS(vloop);

struct class vloop_class = {
	.name = "vloop",
	.dev_groups = vloop_groups,
};

static void announce_work(struct work_struct *work)
{
	struct vloop_device *vd = container_of(work, struct vloop_device,
					       announce);
	char state[32];
	char *environment[2] = { state };
	unsigned int noio;

	mutex_lock(&vd->lock);
	snprintf(state, sizeof(state), "VLOOP_STATE=%s", state_name(vd));
	mutex_unlock(&vd->lock);
	/* Memory must not wait for a disk that waits for the next server. */
	noio = memalloc_noio_save();
	kobject_uevent_env(&vd->dev.kobj, KOBJ_CHANGE, environment);
	memalloc_noio_restore(noio);
	put_device(&vd->dev);
}

void vloop_announce_init(struct vloop_device *vd)
{
	INIT_WORK(&vd->announce, announce_work);
}

/*
 * Tell whoever listens to uevents that the state is another.  With vd->lock, so
 * from a work item: nothing waits for memory under it.  A device that is to be
 * removed has nothing to tell but that.
 */
void vloop_announce(struct vloop_device *vd)
{
	lockdep_assert_held(&vd->lock);
	if (vd->remove_wanted)
		return;
	get_device(&vd->dev);
	if (!queue_work(vloop_control_wq, &vd->announce))
		put_device(&vd->dev);
}

/* Once the removal is wanted, before the device leaves sysfs. */
void vloop_announce_end(struct vloop_device *vd)
{
	if (cancel_work_sync(&vd->announce))
		put_device(&vd->dev);
}
