// SPDX-License-Identifier: MIT
#include "devices/blk.hpp"

#include <algorithm>
#include <cassert>
#include <cstddef>
#include <cstdio>
#include <cstring>
#include <span>
#include <utility>

namespace vloop {
namespace {

constexpr std::uint32_t virtio_id_block = 2;

// A chain holds a header and a status besides its data, and never more descriptors than the queue has. Beyond 254
// nothing is won: Linux makes requests of at most 1280 KiB by default.
constexpr std::uint32_t descriptors_besides_data = 2;
constexpr std::uint32_t segments_max = 254;

// Index into device_description::files.
constexpr std::uint32_t main_file = 0;
constexpr std::uint32_t unaligned_file = 1;  // there only where the main one cannot take every 512-byte sector

constexpr answer_status status_byte{.present = true, .ok = VIRTIO_BLK_S_OK, .error = VIRTIO_BLK_S_IOERR};

constexpr answer_status always(std::uint8_t status) {
  return {.present = true, .ok = status, .error = status};
}

constexpr std::uint64_t bit(unsigned feature) {
  return std::uint64_t{1} << feature;
}

// The whole blocks of the file: what is left behind the last one cannot be addressed.
std::uint64_t sectors_of(const backing_file& file, std::uint64_t bytes) {
  return bytes / file.block_size() * file.block_size() / blk_sector_bytes;
}

std::string made_up_serial(const backing_file& file) {
  char text[blk_id_bytes + 1];
  std::snprintf(text, sizeof text, "vl%016llx", static_cast<unsigned long long>(file.identity()));
  return text;
}

std::uint64_t features_of(const blk_options& options) {
  return bit(VIRTIO_BLK_F_SEG_MAX) | bit(VIRTIO_BLK_F_BLK_SIZE) | bit(VIRTIO_BLK_F_FLUSH) |
         (options.queues > 1 ? bit(VIRTIO_BLK_F_MQ) : 0) | (options.read_only ? bit(VIRTIO_BLK_F_RO) : 0);
}

// What is moved in place goes through the page cache: direct I/O pins the memory it works on.
direct_mode direct_mode_of(const blk_options& options) {
  assert(!options.in_place || options.direct != direct_mode::on);
  return options.in_place ? direct_mode::off : options.direct;
}

std::vector<std::byte> config_of(const blk_options& options, std::uint64_t sectors, std::uint32_t block_size) {
  virtio_blk_config config{};
  config.capacity = sectors;
  config.seg_max = std::min(options.queue_size - descriptors_besides_data, segments_max);
  config.blk_size = block_size;
  config.num_queues = options.queues;
  std::vector<std::byte> bytes(offsetof(virtio_blk_config, max_discard_sectors));  // the fields of our features
  std::memcpy(bytes.data(), &config, bytes.size());
  return bytes;
}

std::vector<file_description> files_of(const backing_file& file) {
  std::vector<file_description> files{file.describe()};
  if (files[main_file].direct && file.block_size() > blk_sector_bytes)
    files.push_back({.fd = files[main_file].buffered_fd});
  return files;
}

device_description describe(const blk_options& options, const backing_file& file, std::uint64_t sectors) {
  device_description d;
  d.id = virtio_id_block;
  d.features = features_of(options);
  d.config = config_of(options, sectors, file.block_size());
  d.config_changes = sizeof(virtio_blk_config::capacity);
  d.queues.assign(options.queues, {.size = options.queue_size,
                                   .when_process_dies = queue_description::on_death::reply,
                                   .death_status = VIRTIO_BLK_S_IOERR});
  d.files = files_of(file);
  d.in_place = options.in_place;
  d.kind = "blk";
  d.label = options.path;
  d.notes.push_back(options.in_place ? "buffered I/O: access=window, whose memory cannot be pinned" : file.access());
  if (const std::uint64_t tail = file.bytes() - sectors * blk_sector_bytes; tail > 0)
    d.notes.push_back("the last " + std::to_string(tail) + " bytes are no whole block of " +
                      std::to_string(file.block_size()) + " and cannot be reached");
  return d;
}

}  // namespace

blk::blk(const blk_options& options)
    : file_(options.path, options.read_only, direct_mode_of(options)),
      options_(options),
      sectors_(sectors_of(file_, file_.bytes())),
      serial_(options.serial.empty() ? made_up_serial(file_) : options.serial.substr(0, blk_id_bytes)),
      description_(vloop::describe(options, file_, sectors_)) {
  assert(options.queues > 0 && options.queue_size > descriptors_besides_data);
}

// Requests that come before their driver knows of it are judged by the new size.
void blk::look_again() {
  const std::uint64_t now = sectors_of(file_, file_.bytes_now());
  if (now == sectors_) return;
  if (now == 0) {
    if (log_) log_("nothing is left of the file; the disk keeps its size, and what is read there fails");
    return;
  }
  sectors_ = now;
  if (log_) log_("the disk has " + std::to_string(now) + " sectors now");
  if (tell_config_) tell_config_(config_of(options_, now, file_.block_size()));
}

void blk::start(std::uint64_t acked_features) {
  // 5.2.5: without FLUSH the driver takes a finished write for a stable one.
  write_through_ = (acked_features & bit(VIRTIO_BLK_F_FLUSH)) == 0;
  // A driver that does not look at blk_size sends single sectors.
  const bool minds_blocks = (acked_features & bit(VIRTIO_BLK_F_BLK_SIZE)) != 0;
  file_index_ = minds_blocks || description_.files.size() == 1 ? main_file : unaligned_file;
}

task<void> blk::serve(queue& requests, loop&) {
  task_group flushes;
  while (auto request = co_await requests.next()) serve_one(requests, std::move(*request), flushes);
  co_await flushes.join();
}

void blk::serve_one(queue& requests, request&& r, task_group& flushes) {
  using kind = blk_command::kind;
  const auto command = parse_blk_request(r.header<blk_header>(), r.readable(), r.writable(),
                                         {.sectors = sectors_, .read_only = options_.read_only});
  switch (command.what) {
    case kind::read:
      return requests.answer(std::move(r), move_from(file_index_, command.offset, command.length), status_byte);
    case kind::write: {
      transfer to_file = move_to(file_index_, command.offset, command.length, sizeof(blk_header));
      to_file.dsync = write_through_;
      return requests.answer(std::move(r), to_file, status_byte);
    }
    case kind::flush:
      return flushes.spawn(flush(requests, std::move(r)));
    case kind::get_id: {
      // 5.2.6: up to 20 bytes of ASCII, zero-padded, with no zero behind 20.
      char id[blk_id_bytes] = {};
      std::memcpy(id, serial_.data(), serial_.size());
      const auto bytes = std::as_bytes(std::span(id)).first(std::min(command.length, blk_id_bytes));
      return requests.answer(std::move(r), copy_in(bytes), status_byte);
    }
    case kind::refuse:
      return requests.complete(std::move(r), always(command.status));
    case kind::discard:
      return requests.complete(std::move(r));
  }
}

// The sync is on the file that the writes went to: that one is told of write-back errors.
task<void> blk::flush(queue& requests, request r) {
  const transfer to_disk = sync(file_index_);
  const std::int32_t result = co_await r.run(to_disk);
  if (result < 0 && result != -ECANCELED)
    sync_failed_ = true;  // cancelled: the driver reset the queue and lost interest
  requests.complete(std::move(r), always(sync_failed_ ? VIRTIO_BLK_S_IOERR : VIRTIO_BLK_S_OK));
}

}  // namespace vloop
