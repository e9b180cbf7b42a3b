#include "transport/wire/key_ring.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <utility>

#include "ipc/base/fd.h"

namespace phalanx::wire {

std::string next_key_path(const std::string& path) { return path + ".next"; }

Expected<LoadedRing, Error> load_key_ring(const std::string& path) {
  auto current = load_cluster_key(path);
  if (!current) return fail(std::move(current.error()));
  LoadedRing loaded{.ring = {std::move(*current), std::nullopt}, .next_fault = {}};
  const std::string beside = next_key_path(path);
  if (access(beside.c_str(), F_OK) != 0 && errno == ENOENT) return loaded;
  auto next = load_cluster_key(beside);
  const ClusterKey& first = loaded.ring.current;
  if (!next) {
    loaded.next_fault = std::move(next.error());
  } else if (next->id <= first.id || next->secret == first.secret) {
    loaded.next_fault = Error{
        .code = ExitCode::Usage,
        .attempted = "cannot go over to the key of " + beside,
        .observed = next->id <= first.id ? "its id " + std::to_string(next->id) + " is not above " +
                                               std::to_string(first.id) + ", that of " + path
                                         : "it is the key of " + path + " under another id",
        .remedy = "make one with: phalanx key generate --next " + path};
  } else {
    loaded.ring.next = std::move(*next);
  }
  return loaded;
}

Expected<void, Error> promote_next_key(const std::string& path, const std::string& wanted) {
  const std::string attempted = "cannot put the next key in the place of " + path;
  const std::string beside = next_key_path(path);
  const auto next = load_cluster_key(beside);
  if (!next || fingerprint(*next) != wanted) {
    const auto there = load_cluster_key(path);
    if (there && fingerprint(*there) == wanted) return {};
    return fail(Error{.attempted = attempted,
                      .observed = next ? beside + " is another key by now" : next.error().observed,
                      .remedy = "copy the key that the others use to " + path});
  }
  if (rename(beside.c_str(), path.c_str()) != 0) {
    const int error = errno;
    const auto there = load_cluster_key(path);
    if (there && fingerprint(*there) == wanted) return {};  // Another node of this host was first.
    return fail(system_error(attempted, "rename", error, "mv " + beside + " " + path));
  }
  const std::size_t slash = path.rfind('/');
  const std::string directory = slash == std::string::npos ? "." : path.substr(0, slash + 1);
  const Fd opened(open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!opened || fsync(opened.get()) != 0) return fail(system_error(attempted, "fsync", errno));
  return {};
}

}  // namespace phalanx::wire
