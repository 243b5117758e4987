// SPDX-License-Identifier: MIT
//
// vloop for embedding: serve virtio devices to this kernel's own drivers from inside your program.
//
//   #include <vloop/vloop.hpp>
//
//   vloop::server server;
//   server.add(vloop::disk{.path = "disk.img"});
//   server.run();                       // until SIGINT, SIGTERM or server.stop()
//
// Link with `pkg-config --cflags --libs --static vloop`. Needs the module vloop.ko and the right to open /dev/vloop,
// as `vloop run` does. C++20 or later. This header needs nothing but the standard library.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "vloop/version.hpp"

namespace vloop {

/// Whether a disk's data bypasses the page cache (O_DIRECT).
enum class direct_io : std::uint8_t {
  automatic,  ///< where the backing can do it for every request, else through the page cache
  on,         ///< or else server::run() throws and says why not
  off,
};

/// A disk, seen as /dev/vdX, backed by a file. virtio 1.3, 5.2.
struct disk {
  std::string path;                ///< a regular file, not empty, or a block device
  bool read_only = false;          ///< the kernel is told, and writes are refused
  std::string serial = {};         ///< at most 20 bytes of printable ASCII without space; empty: one is made up
  std::uint16_t queues = 1;        ///< 1 to 64
  std::uint16_t queue_size = 256;  ///< entries of each ring: a power of two from 4 to 1024
  direct_io direct = direct_io::automatic;
};

/// A source of random bytes, seen as /dev/hwrng. virtio 1.3, 5.4.
struct entropy {
  std::string source = "/dev/urandom";  ///< read from; not expected to end
  std::uint16_t queue_size = 8;         ///< a power of two from 4 to 1024
};

/// A device that a kernel driver has taken.
struct ready_device {
  std::string kind;  ///< "blk" or "rng"
  std::string path;  ///< as it was added
  std::string node;  ///< "/dev/vda"; empty if no driver took the device within 5 seconds
  std::string id;    ///< "vloop0", as `vloop list` shows it
};

/// What becomes of a device when the program ends without having removed it, be it killed.
enum class on_exit : std::uint8_t {
  fail,       ///< the device ends too; what is in flight fails
  queue,      ///< the device stays: what was taken fails, what comes later waits for the next server
  reissue,    ///< the device stays: everything waits, and what was taken is done again by the next server
  fail_fast,  ///< the device stays: everything fails at once until the next server comes
};

struct server_options {
  unsigned threads = 0;                       ///< worker threads; 0: one per device, at most one per processor
  std::chrono::microseconds poll_max{50};     ///< longest look at the rings before a worker sleeps; 0: none
  bool handle_signals = true;                 ///< SIGINT and SIGTERM stop run(); false: they stay your own
  on_exit when_program_ends = on_exit::fail;  ///< of devices that are created; all but fail: recoverable
  std::chrono::milliseconds grace{30'000};    ///< how long requests wait for the next server; 1 ms to 1 h
  /// recover(): ask a living server to hand its device over, and wait so long for it, 60 s at most; 0: do not ask.
  std::chrono::milliseconds take_over_timeout{0};
  /// Called on run()'s thread, once per device; and again if a driver takes it later, or makes another node of it.
  std::function<void(const ready_device&)> on_ready = {};
  /// Called on run()'s thread if a stop does not end because the kernel still waits for a backing file, some 35 seconds
  /// after it was asked for. run() goes on waiting; a program that must end may end the process from here.
  std::function<void()> on_stuck = {};
};

/// Serves devices. Life cycle:
///
///   server -> add()... -> run() -> (devices exist) -> stop() or a signal -> run() returns
///
/// One thread makes, fills, runs and destroys it; only stop() may be called from others. Devices live as long as
/// run() does. If the program dies inside run(), server_options::when_program_ends says what becomes of them.
class server {
 public:
  explicit server(server_options options = {});
  server(const server&) = delete;
  server& operator=(const server&) = delete;
  ~server();

  /// Adds a device to what run() will serve. Throws std::invalid_argument, with a line for the user, if a value is
  /// out of its range; the file is looked at by run().
  void add(const disk& what);
  void add(const entropy& what);

  /// Adds a recoverable device that exists: vloopN, N being `id`. run() becomes its server and goes on where the last
  /// one ended. The device must be of the same kind, with the same queues, features and block size; the size of a disk
  /// may differ. Throws as add() does.
  void recover(std::uint32_t id, const disk& what);
  void recover(std::uint32_t id, const entropy& what);

  /// Builds and creates the devices and serves them, on worker threads of its own, until stop() or a signal; then
  /// finishes what the kernel's drivers had asked for, removes the devices and returns. It also returns when no device
  /// is left to it, because others stopped them or took them over. Runs once.
  ///
  /// Throws std::system_error, or a type derived from std::exception, if the devices cannot be set up (a file that is
  /// not there, no module, no permission: what() is a line for the user), and std::runtime_error if the stop was not
  /// a clean one. Set-up is all or nothing: when it throws, no new device is left behind, and devices to be recovered
  /// are as deserted as they were.
  void run();

  /// Makes run() stop, or not serve at all if it was not called yet. Returns at once, any number of times, from any
  /// thread; not from a signal handler.
  void stop() noexcept;

 private:
  struct state;
  std::unique_ptr<state> state_;
};

}  // namespace vloop
