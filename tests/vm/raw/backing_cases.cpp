// SPDX-License-Identifier: MIT
// A disk whose backing leads back to itself would wait for itself for ever: it is refused, by whatever detour.
#include "cases.hpp"
#include "disk.hpp"

#include <fcntl.h>
#include <linux/blkpg.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include <cstdlib>
#include <thread>

namespace vloop::raw {

namespace {

constexpr std::uint32_t index = 1;

long back_with(disk& d, const std::string& path, int flags = O_RDWR) {
  return d.dev().set_file(index, open_or_throw(path, flags).get());
}

void run(const std::string& command) {
  equal(command, std::system(command.c_str()), 0);
}

// Mounted for as long as this lives.
class mounted {
 public:
  mounted(const std::string& source, const std::string& folder, const char* type, const std::string& options = "")
      : folder_(folder) {
    ::mkdir(folder.c_str(), 0755);
    equal("mounting at " + folder,
          result_of(::mount(source.c_str(), folder.c_str(), type, 0, options.empty() ? nullptr : options.c_str())), 0);
  }
  mounted(const mounted&) = delete;
  mounted& operator=(const mounted&) = delete;
  ~mounted() { ::umount(folder_.c_str()); }

 private:
  std::string folder_;
};

// An ext4 that fits a disk of 4 MiB.
void make_file_system(const disk& d) {
  run("mkfs.ext4 -q -F -O ^has_journal " + d.node());
}

void a_file_on_the_own_disk_is_refused() {
  disk d;
  {
    const auto served = d.serve();
    make_file_system(d);
    const mounted at(d.node(), "own", "ext4");
    run("echo content >own/file");
    equal("a file on the own disk", back_with(d, "own/file"), -EBUSY);
    equal("the same for reading", back_with(d, "own/file", O_RDONLY), -EBUSY);
    equal("a file beside", back_with(d, "plain", O_RDWR | O_CREAT), 0);
  }
  d.remove();
}

void a_file_of_an_overlay_on_the_own_disk_is_refused() {
  disk d;
  {
    const auto served = d.serve();
    make_file_system(d);
    const mounted at(d.node(), "own", "ext4");
    run("mkdir own/lower own/upper own/work && echo content >own/lower/file");
    const mounted over("overlay", "merged", "overlay", "lowerdir=own/lower,upperdir=own/upper,workdir=own/work");
    equal("a file of the lower layer", back_with(d, "merged/file", O_RDONLY), -EBUSY);
    run("echo more >>merged/file");
    equal("a file of the upper layer", back_with(d, "merged/file"), -EBUSY);
  }
  d.remove();
}

void a_partition_of_the_own_disk_is_refused() {
  disk d;
  {
    const auto served = d.serve();
    blkpg_partition partition{};
    partition.start = 1 << 20;
    partition.length = 1 << 20;
    partition.pno = 1;
    blkpg_ioctl_arg arg{};
    arg.op = BLKPG_ADD_PARTITION;
    arg.datalen = sizeof(partition);
    arg.data = &partition;
    const auto fd = open_or_throw(d.node(), O_RDWR);
    equal("BLKPG_ADD_PARTITION", result_of(::ioctl(fd.get(), BLKPG, &arg)), 0);
    within(patience, "the partition's node", [&] { return exists(d.node() + "1"); });
    equal("a partition", back_with(d, d.node() + "1"), -EBUSY);
  }
  d.remove();
}

void a_chain_of_disks_that_ends_where_it_began_is_refused() {
  disk a, b, c;
  equal("b on a", back_with(b, a.node()), 0);
  equal("a on b", back_with(a, b.node()), -EBUSY);
  equal("c on b", back_with(c, b.node()), 0);
  equal("a on c", back_with(a, c.node()), -EBUSY);
  equal("a on itself", back_with(a, a.node()), -EBUSY);
  equal("b on something else", back_with(b, "plain", O_RDWR | O_CREAT), 0);
  equal("a on c", back_with(a, c.node()), 0);
  equal("b on a", back_with(b, a.node()), -EBUSY);
  {
    const auto served = c.serve();
    make_file_system(c);
    const mounted at(c.node(), "on-c", "ext4");
    run("echo content >on-c/file");
    equal("b on a file on c", back_with(b, "on-c/file"), -EBUSY);
  }
  // A disk that is gone leads nowhere.
  equal("nothing under a", a.dev().set_file(index, -1), 0);
  c.remove();
  equal("b on a", back_with(b, a.node()), 0);
  b.remove();
  a.remove();
}

// Two servers tie their disks to each other at the same time: one of them must be refused.
void two_that_tie_at_once_make_no_loop() {
  disk a, b;
  const auto node_a = open_or_throw(a.node(), O_RDWR), node_b = open_or_throw(b.node(), O_RDWR);
  for (int i = 0; i < 300; ++i) {
    std::atomic<int> ready = 0;
    long first = 0, second = 0;
    const auto tie = [&](disk& d, const owned_fd& file, long& result) {
      ++ready;
      while (ready < 2) {}
      result = d.dev().set_file(index, file.get());
    };
    std::thread other([&] { tie(b, node_a, second); });
    tie(a, node_b, first);
    other.join();
    one_of("the one", first, {0, -EBUSY});
    one_of("the other", second, {0, -EBUSY});
    equal("how many of the two were taken", (first == 0) + (second == 0), 1);
    equal("SET_FILE to empty", a.dev().set_file(index, -1), 0);
    equal("SET_FILE to empty", b.dev().set_file(index, -1), 0);
  }
  a.remove();
  b.remove();
}

constexpr named_case cases[] = {
    {"a_file_on_the_own_disk_is_refused", a_file_on_the_own_disk_is_refused},
    {"a_file_of_an_overlay_on_the_own_disk_is_refused", a_file_of_an_overlay_on_the_own_disk_is_refused},
    {"a_partition_of_the_own_disk_is_refused", a_partition_of_the_own_disk_is_refused},
    {"a_chain_of_disks_that_ends_where_it_began_is_refused", a_chain_of_disks_that_ends_where_it_began_is_refused},
    {"two_that_tie_at_once_make_no_loop", two_that_tie_at_once_make_no_loop},
};

}  // namespace

std::span<const named_case> backing_cases() {
  return cases;
}

}  // namespace vloop::raw
