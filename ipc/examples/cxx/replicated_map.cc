// replicated_map GROUP WORDS...: a map of text to text that every process of the group has.
//
//   serve              keeps the map, and takes commands from standard input, a line each
//   set KEY VALUE      the value may have blanks
//   delete KEY
//   get KEY            exit 1: there is none
//   list
//   watch              prints the map, then every change, as it is carried out
//
// The map lives as long as some process is in the group: let one serve on each node. The patterns:
// a state as a class; being told of changes from inside it; an answer to each operation.

#include <poll.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <iostream>
#include <map>
#include <phalanx/replica.hpp>
#include <string>

namespace {

struct Entry {
  std::string value;
  std::uint64_t stamp = 0;  ///< When its origin wrote it: settles what two sides wrote meanwhile.
};

/// An operation: u64 stamp, u32 bytes of the key, key, then the value; bytes + 2^31: a deletion.
std::string operation_of(std::string_view key, std::string_view value, bool deletes) {
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  const auto stamp = static_cast<std::uint64_t>(
      std::chrono::duration_cast<std::chrono::microseconds>(now).count());
  const auto bytes = static_cast<std::uint32_t>(key.size()) | (deletes ? 0x80000000u : 0u);
  std::string out(reinterpret_cast<const char*>(&stamp), sizeof stamp);
  out.append(reinterpret_cast<const char*>(&bytes), sizeof bytes);
  return out.append(key).append(value);
}

class Map {
 public:
  std::int64_t apply(const phx_replica_operation& operation) { return take(operation, false); }
  bool merge(const phx_replica_operation& operation) { return take(operation, true) == 0; }

  bool snapshot(phalanx::ReplicaWriter& out) const {
    for (const auto& [key, entry] : entries_) {
      out.write(static_cast<std::uint32_t>(key.size()));
      out.write(static_cast<std::uint32_t>(entry.value.size()));
      out.write(entry.stamp);
      out.write(key);
      out.write(entry.value);
    }
    return out.good();
  }

  bool restore(std::span<const std::byte> in, std::uint32_t) {
    std::map<std::string, Entry> next;
    std::string_view rest(reinterpret_cast<const char*>(in.data()), in.size());
    while (!rest.empty()) {
      if (rest.size() < 16) return false;
      std::uint32_t sizes[2];
      Entry entry;
      __builtin_memcpy(sizes, rest.data(), sizeof sizes);
      __builtin_memcpy(&entry.stamp, rest.data() + 8, sizeof entry.stamp);
      rest.remove_prefix(16);
      if (std::uint64_t{sizes[0]} + sizes[1] > rest.size()) return false;
      entry.value = rest.substr(sizes[0], sizes[1]);
      next.emplace(rest.substr(0, sizes[0]), std::move(entry));
      rest.remove_prefix(std::size_t{sizes[0]} + sizes[1]);
    }
    // Who watches sees the difference, not the whole.
    for (const auto& [key, entry] : entries_) {
      if (!next.contains(key)) tell(key, nullptr);
    }
    for (const auto& [key, entry] : next) {
      const auto old = entries_.find(key);
      if (old == entries_.end() || old->second.value != entry.value) tell(key, &entry.value);
    }
    entries_ = std::move(next);
    return true;
  }

  [[nodiscard]] const std::map<std::string, Entry>& entries() const { return entries_; }
  void watch() { watched_ = true; }

 private:
  std::int64_t take(const phx_replica_operation& operation, bool of_another_side) {
    std::uint64_t stamp = 0;
    std::uint32_t bytes = 0;
    std::string_view rest(static_cast<const char*>(operation.data), operation.bytes);
    if (rest.size() < 12) return 2;
    __builtin_memcpy(&stamp, rest.data(), sizeof stamp);
    __builtin_memcpy(&bytes, rest.data() + 8, sizeof bytes);
    rest.remove_prefix(12);
    const bool deletes = (bytes & 0x80000000u) != 0;
    bytes &= 0x7fffffffu;
    if (bytes > rest.size()) return 2;
    const std::string key(rest.substr(0, bytes));
    const auto old = entries_.find(key);
    // What was written later stays; equal on all sides, since the stamp is a part of the operation.
    if (of_another_side && old != entries_.end() && old->second.stamp > stamp) return 0;
    if (deletes && old == entries_.end()) return of_another_side ? 0 : 1;
    if (deletes) {
      entries_.erase(old);
      tell(key, nullptr);
    } else {
      const std::string value(rest.substr(bytes));
      entries_[key] = {value, stamp};
      tell(key, &value);
    }
    return 0;
  }
  void tell(const std::string& key, const std::string* value) const {
    if (!watched_) return;
    if (value != nullptr) {
      std::cout << "set " << key << ' ' << *value << std::endl;
    } else {
      std::cout << "delete " << key << std::endl;
    }
  }

  std::map<std::string, Entry> entries_;
  bool watched_ = false;
};

using Replica = phalanx::Replica<Map>;

struct Answers {
  int count = 0;
  phx_status status = PHX_OK;
  std::int64_t result = 0;
};

bool must_be_live(Replica& replica) {
  while (!replica.status().live) {
    const phx_status status = replica.dispatch(100);
    if (status != PHX_OK && status != PHX_TRY_AGAIN) {
      std::cerr << "replicated_map: " << phx_strerror(status) << '\n';
      return false;
    }
  }
  return true;
}

/// One command; its exit status.
int run(Replica& replica, const Answers& answers, const std::string& verb, const std::string& key,
        const std::string& value) {
  if (verb == "list") {
    for (const auto& [name, entry] : replica.state().entries())
      std::cout << name << ' ' << entry.value << std::endl;
    return 0;
  }
  if (verb == "get") {
    const auto at = replica.state().entries().find(key);
    if (at == replica.state().entries().end()) return 1;
    std::cout << at->second.value << std::endl;
    return 0;
  }
  if (verb != "set" && verb != "delete") return 2;
  const std::string operation = operation_of(key, value, verb == "delete");
  const int before = answers.count;
  if (replica.submit(std::as_bytes(std::span(operation))) != PHX_OK) return 1;
  while (answers.count == before) (void)replica.dispatch(100);
  if (answers.status == PHX_OK) return answers.result == 0 ? 0 : 1;
  std::cerr << "replicated_map: " << phx_strerror(answers.status) << '\n';
  return 1;
}

int serve(Replica& replica, const Answers& answers) {
  bool open = true;
  std::string buffer;
  for (;;) {
    pollfd fds[2] = {{.fd = replica.fd(), .events = POLLIN, .revents = 0},
                     {.fd = open ? STDIN_FILENO : -1, .events = POLLIN, .revents = 0}};
    (void)poll(fds, 2, 100);
    const phx_status status = replica.dispatch(0);
    if (status != PHX_OK && status != PHX_TRY_AGAIN) return 1;
    if (fds[1].revents == 0) continue;
    char chunk[4096];
    const ssize_t count = read(STDIN_FILENO, chunk, sizeof chunk);
    open = count > 0;
    if (open) buffer.append(chunk, static_cast<std::size_t>(count));
    for (std::size_t end; (end = buffer.find('\n')) != std::string::npos;
         buffer.erase(0, end + 1)) {
      const std::string line = buffer.substr(0, end);
      const std::size_t a = line.find(' ');
      const std::size_t b = a == std::string::npos ? a : line.find(' ', a + 1);
      const std::string key =
          a == std::string::npos ? "" : line.substr(a + 1, b == std::string::npos ? b : b - a - 1);
      const int code = run(replica, answers, line.substr(0, a), key,
                           b == std::string::npos ? "" : line.substr(b + 1));
      if (code != 0) std::cout << "no" << std::endl;
    }
  }
}

}  // namespace

int main(int argc, char** argv) {
  const std::string verb = argc > 2 ? argv[2] : "";
  if (verb.empty()) {
    std::cerr << "usage: replicated_map GROUP serve|set|delete|get|list|watch ...\n";
    return 2;
  }
  Replica replica;
  Answers answers;
  Map initial;
  if (verb == "watch") initial.watch();
  phx_replica_options options{};
  options.instance = std::getenv("PHX_INSTANCE");
  const phx_status status =
      replica.open(argv[1],
                   {.answer =
                        [&](std::uint64_t, phx_status told, std::int64_t result) {
                          ++answers.count;
                          answers.status = told;
                          answers.result = result;
                        },
                    .report = {}},
                   options, initial);
  if (status != PHX_OK) {
    std::cerr << "replicated_map: " << phx_strerror(status) << '\n';
    return 3;
  }
  if (!must_be_live(replica)) return 1;
  if (verb == "serve" || verb == "watch") return serve(replica, answers);
  std::string value;
  for (int i = 4; i < argc; ++i) value += (i > 4 ? " " : "") + std::string(argv[i]);
  return run(replica, answers, verb, argc > 3 ? argv[3] : "", value);
}
