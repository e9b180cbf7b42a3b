#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <memory>

#include "controlplane/cli/arguments.h"
#include "controlplane/cli/key_file.h"
#include "controlplane/cli/program.h"
#include "ipc/base/fd.h"
#include "transport/wire/key_ring.h"

namespace phalanx::cli {
namespace {

constexpr const char* kDefaultKeyFile = "/etc/phalanx/cluster.key";

Expected<void, Error> write_all(int fd, std::string_view text, const std::string& attempted) {
  while (!text.empty()) {
    const ssize_t wrote = write(fd, text.data(), text.size());
    if (wrote < 0) return fail(system_error(attempted, "write", errno));
    text.remove_prefix(static_cast<std::size_t>(wrote));
  }
  return {};
}

}  // namespace

// Written beside its place and renamed into it, so that a reader sees the old key or the new one,
// and a full disk leaves the old one alone.
Expected<void, Error> write_key_file(const std::string& path, std::uint32_t id, bool overwrite) {
  const std::string attempted = "cannot write the key file " + path;
  if (!overwrite && access(path.c_str(), F_OK) == 0) {
    return fail(Error{.attempted = attempted,
                      .observed = "it exists",
                      .remedy = "--force replaces it: nodes with the old key are then kept out"});
  }
  auto key = wire::new_cluster_key(id);
  if (!key) return fail(key.error());
  std::string text = wire::format_cluster_key(*key);
  const std::string temporary = path + ".new";
  unlink(temporary.c_str());
  const Fd fd(open(temporary.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (!fd) {
    return fail(system_error(attempted, "open", errno, "make its directory, or name another file"));
  }
  auto written = write_all(fd.get(), text, attempted);
  explicit_bzero(text.data(), text.size());
  if (written && fsync(fd.get()) != 0) written = fail(system_error(attempted, "fsync", errno));
  if (written) {
    const unsigned flags = overwrite ? 0 : RENAME_NOREPLACE;
    if (renameat2(AT_FDCWD, temporary.c_str(), AT_FDCWD, path.c_str(), flags) != 0) {
      written = fail(system_error(attempted, "rename", errno));
    }
  }
  if (!written) unlink(temporary.c_str());
  return written;
}

Expected<std::uint32_t, Error> write_next_key_file(const std::string& path, bool overwrite) {
  const auto current = wire::load_cluster_key(path);
  if (!current) return fail(current.error());
  if (current->id == UINT32_MAX) {
    return fail(Error{.attempted = "cannot make a key after that of " + path,
                      .observed = "its id is the highest there is",
                      .remedy = "end the cluster, and give all nodes a new key with a lower id"});
  }
  const std::uint32_t id = current->id + 1;
  auto written = write_key_file(wire::next_key_path(path), id, overwrite);
  if (!written) {
    if (written.error().observed == "it exists") {
      written.error().remedy = "phalanx key rotate goes over to it; --force replaces it";
    }
    return fail(std::move(written.error()));
  }
  return id;
}

void add_key(Command& root, const Globals& globals) {
  struct Options {
    std::string file = kDefaultKeyFile;
    std::uint64_t id = 1;
    bool next = false;
    bool force = false;
  };
  const auto options = std::make_shared<Options>();
  Command key = root.add("key", "Make cluster keys, and go over from one to the next.");
  key.add("generate",
          "Write a fresh random cluster key, readable by its owner only. Copy the same "
          "file to every node.")
      .text("FILE", options->file, "Where to (default: " + options->file + ")")
      .number("--id", options->id, {1, 4294967295}, "The key's number, higher than any before it")
      .flag("--next", options->next,
            "Write the key that comes after that of FILE, beside it, for phalanx key rotate")
      .flag("--force", options->force, "Replace a file that exists")
      .run([&globals, options] {
        if (options->next) {
          const auto next = write_next_key_file(options->file, options->force);
          if (!next) return report(next.error(), globals);
          std::fprintf(stderr, "wrote key %u to %s (mode 0600)\n", *next,
                       wire::next_key_path(options->file).c_str());
          return ExitCode::Fine;
        }
        const auto written =
            write_key_file(options->file, static_cast<std::uint32_t>(options->id), options->force);
        if (!written) return report(written.error(), globals);
        std::fprintf(stderr, "wrote key %lu to %s (mode 0600)\n", options->id,
                     options->file.c_str());
        return ExitCode::Fine;
      });
  add_key_rotation(key, globals);
}

}  // namespace phalanx::cli
