// SPDX-License-Identifier: MIT
// Memory that another thread changes while the module reads it: what was checked is what runs.
#include "access_counter.hpp"
#include "cases.hpp"
#include "disk.hpp"

#include <linux/virtio_blk.h>

#include <array>
#include <cstddef>
#include <functional>

namespace vloop::raw {

namespace {

constexpr int rounds = 50;
constexpr long seen_min = 5;  // of either form, so that the race was really run
constexpr std::uint32_t length = 512;

// Calls `flip` with 0 and 1 in turn, as fast as it goes, until it is destroyed.
class flipping {
 public:
  explicit flipping(std::function<void(unsigned)> flip)
      : thread_([this, flip = std::move(flip)] {
          for (unsigned turn = 0; !stop_; turn ^= 1) {
            flip(turn);
            ++turns_;
          }
          flip(0);
        }) {
    while (turns_ < 2) std::this_thread::yield();
  }
  ~flipping() {
    stop_ = true;
    thread_.join();
  }

 private:
  std::atomic<bool> stop_ = false;
  std::atomic<unsigned> turns_ = 0;
  std::thread thread_;
};

template <class T>
void store(T& where, T value) {
  *static_cast<volatile T*>(&where) = value;
}

struct flip_field {
  const char* name;
  void (*flip)(vloop_op& op, unsigned turn);  // 0: legal
};

// In the order in which a second look would show: verbs that nothing knows have a count of their own in the statistics.
constexpr flip_field fields[] = {
    {"verb", [](vloop_op& op, unsigned t) { store<__u8>(op.verb, t ? 15 : VLOOP_VERB_FILE_TO_REQUEST); }},
    {"flags", [](vloop_op& op, unsigned t) { store<__u32>(op.flags, t ? 1U << 31 : 0); }},
    {"pad", [](vloop_op& op, unsigned t) { store<__u8>(op.pad, static_cast<__u8>(t)); }},
    {"head", [](vloop_op& op,
                unsigned t) { store<__u16>(op.head, static_cast<__u16>(t ? op.head | 0x8000 : op.head & 0x7fff)); }},
    {"file", [](vloop_op& op, unsigned t) { store<__u16>(op.file, t ? 0x7fff : 0); }},
    {"seq", [](vloop_op& op, unsigned t) { store<__u32>(op.seq, t ? op.seq | 1U << 31 : op.seq & ~(1U << 31)); }},
    {"offset", [](vloop_op& op, unsigned t) { store<__u64>(op.offset, t ? 1ULL << 63 : 0); }},
    {"skip", [](vloop_op& op, unsigned t) { store<__u32>(op.skip, t ? ~0U - length : 0); }},
    {"length", [](vloop_op& op, unsigned t) { store<__u32>(op.length, t ? 1U << 30 : length); }},
    {"reserved", [](vloop_op& op, unsigned t) { store<__u64>(op.reserved[1], t); }},
};

void an_operation_that_changes_while_it_is_read() {
  disk d;
  const auto reader = transfer::read(d.node(), 0, page_bytes);
  const auto request = d.q().next_request();
  const auto stats_page = d.q().map_stats();
  const auto& stats = stats_page.as<vloop_queue_stats>();
  const auto begun_before = stats.verb_ops[VLOOP_VERB_FILE_TO_REQUEST];
  long all = 0;
  for (const auto& field : fields) {
    auto op = op_for(request, VLOOP_VERB_FILE_TO_REQUEST);
    op.length = length;
    long begun = 0, refused = 0;
    const flipping other([&](unsigned turn) { field.flip(op, turn); });
    within(patience, std::string("both forms were seen of ") + field.name, [&] {
      for (int i = 0; i < rounds; ++i) {
        const long result = d.q().write(op);
        one_of(std::string("an operation whose changes are of ") + field.name, result,
               {sizeof(op), -EINVAL, -EBADF, -ESTALE});
        if (result < 0) {
          ++refused;
        } else {
          ++begun;
          equal("DONE of what was checked", d.q().next_done(), length);
        }
      }
      return begun >= seen_min && refused >= seen_min;
    });
    all += begun;
  }
  equal("operations that ran", static_cast<long>(stats.verb_ops[VLOOP_VERB_FILE_TO_REQUEST] - begun_before), all);
  for (unsigned verb = VLOOP_VERB_SYNC_FILE + 1; verb < VLOOP_STATS_VERBS; ++verb)
    equal("operations of unknown verbs", static_cast<long>(stats.verb_ops[verb]), 0);
  equal("the good answer", d.q().write(good_answer(request)), sizeof(vloop_op));
  equal("the read", reader.result(), page_bytes);
}

void a_device_that_changes_while_it_is_created() {
  const control module;
  long made = 0, refused = 0;
  for (int i = 0; i < rounds; ++i) {
    auto shape = blk_shape(disk_sectors);
    auto* seg_max = reinterpret_cast<__u32*>(shape.config.data() + offsetof(virtio_blk_config, seg_max));
    const flipping other([&](unsigned turn) {
      store<__u32>(*seg_max, turn ? 4000 : 62);
      store<__u32>(shape.queues[0].size, turn ? 3 : 64);
    });
    const long fd = module.create(shape);
    one_of("CREATE", fd < 0 ? fd : 0, {0, -EINVAL});
    if (fd < 0) {
      ++refused;
      continue;
    }
    ++made;
    const device d(owned_fd(static_cast<int>(fd)), shape.arg.id);
    vloop_queue_fd arg{};
    const owned_fd q(static_cast<int>(call(d.fd(), VLOOP_QUEUE_FD, &arg)));
    equal("entries of the queue", arg.size, 64);
    virtio_blk_config seen{};
    vloop_config get{};
    get.data = address_of(&seen);
    get.length = sizeof(seen);
    equal("GET_CONFIG", call(d.fd(), VLOOP_GET_CONFIG, &get), 0);
    equal("seg_max of the device", seen.seg_max, 62);
  }
  std::printf("made %ld, refused %ld\n", made, refused);
  expect(made > 0 && refused > 0, "the structures were seen in both forms");
}

// ---- the same without a race ----

template <class T>
std::span<const std::byte> memory_of(const T& value) {
  return {reinterpret_cast<const std::byte*>(&value), sizeof(value)};
}

// Of each word, as often as `run` does it: once. `written` is a word that the call gives something back in.
void read_once(const std::string& what, std::span<const std::byte> bytes, const std::function<void()>& run,
               std::size_t written = ~std::size_t{0}) {
  const auto counts = accesses(bytes, run);
  for (std::size_t i = 0; i < counts.size(); ++i)
    equal("reads of word " + std::to_string(i) + " of " + what, counts[i], i == written ? 2 : 1);
}

void an_operation_is_read_once() {
  disk d;
  const auto reader = transfer::read(d.node(), 0, page_bytes);
  const auto request = d.q().next_request();
  alignas(8) std::array<vloop_op, 2> ops;
  const auto run = [&] {
    equal("operations", d.q().write(ops), sizeof(ops[0]));
    d.q().next_done();
  };
  // The second is refused, since the first has the request.
  ops.fill(op_for(request, VLOOP_VERB_FILE_TO_REQUEST));
  for (auto& op : ops) op.length = length;
  read_once("an operation", memory_of(ops[0]), run);
  read_once("another operation", memory_of(ops[1]), run);
  alignas(8) std::array<std::byte, 64> data{};
  for (auto& op : ops) {
    op.verb = VLOOP_VERB_COPY_TO_REQUEST;
    op.address = address_of(data.data());
    op.length = data.size();
  }
  read_once("an operation that copies", memory_of(ops[0]), run);
  read_once("what an operation copies", std::span(data), [&] {
    equal("an operation", d.q().write(ops[0]), sizeof(ops[0]));
    d.q().next_done();
  });
  equal("the good answer", d.q().write(good_answer(request)), sizeof(vloop_op));
  equal("the read", reader.result(), page_bytes);
}

// Of what CREATE and the calls on a device are told.
void arguments_are_read_once() {
  const control module;
  auto shape = blk_shape(disk_sectors, 2);
  shape.arg.on_exit = VLOOP_EXIT_REISSUE;
  shape.description = "a description of more than one word";
  auto arg = shape.arg;
  arg.queues = address_of(shape.queues.data());
  arg.num_queues = static_cast<std::uint32_t>(shape.queues.size());
  arg.config = address_of(shape.config.data());
  arg.config_len = static_cast<std::uint32_t>(shape.config.size());
  arg.description = address_of(shape.description.data());
  arg.description_len = static_cast<std::uint32_t>(shape.description.size());
  const auto create = [&] {
    const owned_fd made(static_cast<int>(call(module.fd(), VLOOP_CREATE, &arg)));
    expect(static_cast<bool>(made), "CREATE");
  };
  read_once("the argument of CREATE", memory_of(arg), create, offsetof(vloop_create, id) / 8);
  read_once("the queues of CREATE", std::as_bytes(std::span(shape.queues)), create);
  read_once("the config space of CREATE", std::span(shape.config).first(shape.config.size() / 8 * 8), create);

  const device d(blk_shape(disk_sectors));
  alignas(8) vloop_set_file file{};
  file.fd = -1;
  read_once("the argument of SET_FILE", memory_of(file),
            [&] { equal("SET_FILE", call(d.fd(), VLOOP_SET_FILE, &file), 0); });
  std::vector<std::byte> content(d.info().config_len);
  vloop_config config{};
  config.data = address_of(content.data());
  config.length = static_cast<std::uint32_t>(content.size());
  equal("GET_CONFIG", call(d.fd(), VLOOP_GET_CONFIG, &config), 0);
  const auto set = [&] { equal("SET_CONFIG", call(d.fd(), VLOOP_SET_CONFIG, &config), 0); };
  read_once("the argument of SET_CONFIG", memory_of(config), set);
  read_once("what SET_CONFIG sets", std::span(content).first(content.size() / 8 * 8), set);
}

constexpr named_case cases[] = {
    {"an_operation_that_changes_while_it_is_read", an_operation_that_changes_while_it_is_read},
    {"a_device_that_changes_while_it_is_created", a_device_that_changes_while_it_is_created},
    {"an_operation_is_read_once", an_operation_is_read_once},
    {"arguments_are_read_once", arguments_are_read_once},
};

}  // namespace

std::span<const named_case> changing_cases() {
  return cases;
}

}  // namespace vloop::raw
