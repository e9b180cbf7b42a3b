#include "ipc/recorder/mapped_file.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>

#include "ipc/base/fd.h"

namespace phalanx::recorder {
namespace {

/// NAME.2 becomes NAME.3, ...; a file that is not there leaves a gap, which does no harm.
void rotate(const std::string& path) {
  for (int age = kKept - 1; age >= 0; --age) {
    const std::string from = age == 0 ? path : path + "." + std::to_string(age);
    (void)std::rename(from.c_str(), (path + "." + std::to_string(age + 1)).c_str());
  }
}

}  // namespace

Expected<MappedFile, Error> MappedFile::create(const std::string& directory,
                                               const std::string& name, std::size_t bytes,
                                               Pages pages) {
  const std::string path = directory + "/" + name;
  const std::string attempted = "cannot keep the flight recorder " + path;
  const char* remedy = "free some space there, or set node.runtime_directory";
  if (mkdir(directory.c_str(), 0700) != 0 && errno != EEXIST) {
    return fail(system_error(attempted, "mkdir", errno, remedy));
  }
  // What earlier processes left moves on only once there is a new one: starts that fail, again and
  // again, must not push it out.
  const std::string fresh = path + ".new";
  (void)unlink(fresh.c_str());
  Fd file(::open(fresh.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (!file) return fail(system_error(attempted, "open", errno, remedy));
  // All of it now: a full disk must be an error here, and not a signal later.
  const int full = posix_fallocate(file.get(), 0, static_cast<off_t>(bytes));
  if (full != 0) {
    unlink(fresh.c_str());
    return fail(system_error(attempted, "posix_fallocate", full, remedy));
  }
  const int flags = MAP_SHARED | (pages == Pages::Now ? MAP_POPULATE : 0);
  void* at = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, flags, file.get(), 0);
  if (at == MAP_FAILED) {
    const int error = errno;
    unlink(fresh.c_str());
    return fail(system_error(attempted, "mmap", error, remedy));
  }
  rotate(path);
  if (std::rename(fresh.c_str(), path.c_str()) != 0) {
    const int error = errno;
    munmap(at, bytes);
    unlink(fresh.c_str());
    return fail(system_error(attempted, "rename", error, remedy));
  }
  return MappedFile(std::span(static_cast<std::byte*>(at), bytes));
}

MappedFile::~MappedFile() {
  if (!bytes_.empty()) munmap(bytes_.data(), bytes_.size());
}

}  // namespace phalanx::recorder
