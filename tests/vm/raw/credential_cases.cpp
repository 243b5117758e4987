// SPDX-License-Identifier: MIT
// Whose rights count: a server gets nothing done that it could not do itself, neither by the module's workers nor by a
// program that may do more. They need a /dev/vloop that anybody may open.
#include "cases.hpp"
#include "disk.hpp"
#include "process.hpp"
#include "user.hpp"

#include <sys/stat.h>
#include <unistd.h>

namespace vloop::raw {

namespace {

constexpr mode_t everybody_may_write = 0666;

// A program that root owns, that runs as root whoever starts it, and that others may write to: a write takes that away.
void a_write_takes_set_user_id_away() {
  const char* path = "set-user-id";
  const auto file = open_or_throw(path, O_CREAT | O_RDWR);
  expect(::ftruncate(file.get(), page_bytes) == 0, "a file");
  expect(::fchmod(file.get(), S_ISUID | S_ISGID | S_IXGRP | everybody_may_write) == 0, "its mode");
  shared<announcement> id;
  auto server = process::run([&] {
    become(nobody);
    disk d;
    equal("SET_FILE", d.dev().set_file(1, open_or_throw(path, O_RDWR).get()), 0);
    id->tell(d.dev().id());
    auto op = good_answer(d.q().next_request());
    op.file = 1;
    op.flags = answer;
    equal("a write to it", d.q().write(op), sizeof(op));
    equal("DONE", d.q().next_done(), page_bytes);
  });
  const auto user = transfer::write(disk_node(id->wait()), 0, page_bytes, std::byte{1});
  equal("the user's write", user.result(), page_bytes);
  server.join();
  struct stat status {};
  ::fstat(file.get(), &status);
  expect((status.st_mode & S_ISUID) == 0, "a write by another user takes set-user-id away");
}

// A program that runs as root whoever starts it copies what it is given to its output. If that is a queue, the kernel
// must not take it for what root asks for: operations name memory of whoever writes them.
void a_program_of_root_cannot_be_made_to_operate() {
  const char* program = "cat-of-root";
  expect(std::system("cp /bin/cat cat-of-root && chmod 4755 cat-of-root") == 0, "a program of root");
  expect(::chmod(".", 0755) == 0, "a folder that all may enter");
  shared<announcement> id;
  auto server = process::run([&] {
    become(nobody);
    disk d;
    id->tell(d.dev().id());
    const auto request = d.q().next_request();
    const auto write_by = [&](const char* path) {
      const auto op = good_answer(request);
      const auto input = memory_file(0);
      equal("what the program copies", result_of(::write(input.get(), &op, sizeof(op))), sizeof(op));
      ::lseek(input.get(), 0, SEEK_SET);
      auto child = process::run([&] {
        ::dup2(input.get(), STDIN_FILENO);
        ::dup2(d.q().fd(), STDOUT_FILENO);
        ::close(STDERR_FILENO);
        ::execl(path, path, nullptr);
        throw failure("exec");
      });
      expect(child.ended(), "the end of the program");
      return child.status();
    };
    expect(write_by(program) != 0, "a program of root may not operate for who opened the queue");
    equal("a program of ours may", write_by("/bin/cat"), 0);
  });
  const auto user = transfer::read(disk_node(id->wait()), 0, page_bytes);
  equal("the user's read", user.result(), page_bytes);
  server.join();
}

// Who gave up rights keeps the queues that it opened before.
void a_server_that_gives_up_rights_serves_on() {
  shared<announcement> id;
  auto server = process::run([&] {
    disk d;
    become(nobody);
    id->tell(d.dev().id());
    equal("an answer", d.q().write(good_answer(d.q().next_request())), sizeof(vloop_op));
    within(patience, "the user's read", [&] { return id->over.load(); });
  });
  const auto user = transfer::read(disk_node(id->wait()), 0, page_bytes);
  equal("the user's read", user.result(), page_bytes);
  id->over = true;
  server.join();
}

constexpr named_case cases[] = {
    {"a_write_takes_set_user_id_away", a_write_takes_set_user_id_away},
    {"a_program_of_root_cannot_be_made_to_operate", a_program_of_root_cannot_be_made_to_operate},
    {"a_server_that_gives_up_rights_serves_on", a_server_that_gives_up_rights_serves_on},
};

}  // namespace

std::span<const named_case> credential_cases() {
  return cases;
}

}  // namespace vloop::raw
