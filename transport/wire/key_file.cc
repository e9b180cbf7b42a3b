#include <fcntl.h>
#include <openssl/rand.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <optional>
#include <utility>

#include "ipc/base/fd.h"
#include "transport/wire/keys.h"

namespace phalanx::wire {
namespace {

constexpr std::string_view kFirstLine = "phalanx-cluster-key 1";
constexpr std::size_t kFileBytesMax = 4096;
constexpr char kRemedy[] = "make a new one with: phalanx key generate FILE";

int hex_digit(char c) noexcept {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

std::optional<Secret> parse_hex(std::string_view text) noexcept {
  if (text.size() != 2 * Secret::kBytes) return std::nullopt;
  Secret secret;
  for (std::size_t i = 0; i < Secret::kBytes; ++i) {
    const int high = hex_digit(text[2 * i]);
    const int low = hex_digit(text[2 * i + 1]);
    if (high < 0 || low < 0) return std::nullopt;
    secret.mutable_bytes()[i] = static_cast<std::uint8_t>(high << 4 | low);
  }
  return secret;
}

std::optional<std::uint32_t> parse_id(std::string_view text) noexcept {
  std::uint32_t id = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), id);
  if (error != std::errc() || end != text.data() + text.size() || id == 0) return std::nullopt;
  return id;
}

/// Takes the next line that says something; counts all of them.
std::optional<std::string_view> next_line(std::string_view& rest, int& line) noexcept {
  while (!rest.empty()) {
    const std::size_t end = rest.find('\n');
    std::string_view text = rest.substr(0, end);
    rest.remove_prefix(end == std::string_view::npos ? rest.size() : end + 1);
    ++line;
    if (text.ends_with('\r')) text.remove_suffix(1);
    if (!text.empty() && text.front() != '#') return text;
  }
  return std::nullopt;
}

/// A file that others may read is no secret; one that others may write is not ours.
std::optional<Error> refuse_exposed(int fd, const std::string& path) {
  const std::string attempted = "cannot use the cluster key file " + path;
  struct stat status;
  if (fstat(fd, &status) != 0) return system_error(attempted, "fstat", errno);
  if (!S_ISREG(status.st_mode)) {
    return Error{ExitCode::Usage, attempted, "it is not a regular file", kRemedy};
  }
  if ((status.st_mode & 077) != 0) {
    char mode[8];
    (void)snprintf(mode, sizeof mode, "%04o", static_cast<unsigned>(status.st_mode & 07777));
    return Error{ExitCode::Usage, attempted,
                 "its mode is " + std::string(mode) + ": others than its owner may use it",
                 "chmod 600 " + path + ", and change the key if anyone may have read it"};
  }
  if (status.st_uid != 0 && status.st_uid != geteuid()) {
    return Error{ExitCode::Usage, attempted, "it belongs to user " + std::to_string(status.st_uid),
                 "chown it to root or to the user who runs Phalanx"};
  }
  return std::nullopt;
}

}  // namespace

Expected<ClusterKey, Error> parse_cluster_key(std::string_view text, std::string_view path) {
  int line = 0;
  const auto refuse = [&](std::string observed) {
    return fail(
        Error{ExitCode::Usage,
              "cannot read the cluster key file " + std::string(path) + ":" + std::to_string(line),
              std::move(observed), kRemedy});
  };

  if (next_line(text, line) != kFirstLine) {
    return refuse("its first line is not \"" + std::string(kFirstLine) + "\"");
  }
  const auto id_line = next_line(text, line);
  const auto id = id_line && id_line->starts_with("id ") ? parse_id(id_line->substr(3))
                                                         : std::optional<std::uint32_t>();
  if (!id) return refuse("expected \"id N\", N from 1 to 4294967295");
  const auto key_line = next_line(text, line);
  auto secret = key_line && key_line->starts_with("key ") ? parse_hex(key_line->substr(4))
                                                          : std::optional<Secret>();
  if (!secret) return refuse("expected \"key \" and 64 hexadecimal digits");
  if (next_line(text, line)) return refuse("there is a line after the key");
  return ClusterKey{.id = *id, .secret = std::move(*secret)};
}

Expected<ClusterKey, Error> load_cluster_key(const std::string& path) {
  const std::string attempted = "cannot read the cluster key file " + path;
  const Fd file(open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK));
  if (!file) {
    Error error = system_error(attempted, "open", errno, kRemedy);
    error.code = errno == EACCES ? ExitCode::Permission : ExitCode::Usage;
    return fail(std::move(error));
  }
  if (auto error = refuse_exposed(file.get(), path)) return fail(std::move(*error));

  std::string text(kFileBytesMax + 1, '\0');
  std::size_t length = 0;
  while (length < text.size()) {
    const ssize_t got = read(file.get(), text.data() + length, text.size() - length);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return fail(system_error(attempted, "read", errno));
    if (got == 0) break;
    length += static_cast<std::size_t>(got);
  }
  if (length > kFileBytesMax) {
    return fail(Error{ExitCode::Usage, attempted, "it is longer than 4096 bytes", kRemedy});
  }
  auto key = parse_cluster_key(std::string_view(text).substr(0, length), path);
  wipe({reinterpret_cast<std::uint8_t*>(text.data()), text.size()});
  return key;
}

std::string format_cluster_key(const ClusterKey& key) {
  static constexpr char kDigits[] = "0123456789abcdef";
  std::string out(kFirstLine);
  out.reserve(256);  // One allocation, so that no copy of the key is left behind.
  out += "\n# Whoever reads this file can join the cluster as any node.\nid ";
  out += std::to_string(key.id) + "\nkey ";
  for (const std::uint8_t byte : key.secret.bytes()) {
    out += kDigits[byte >> 4];
    out += kDigits[byte & 15];
  }
  return out += '\n';
}

Expected<ClusterKey, Error> new_cluster_key(std::uint32_t id) {
  ClusterKey key;
  key.id = id;
  if (RAND_bytes(key.secret.mutable_bytes().data(), Secret::kBytes) != 1) {
    return fail(Error{ExitCode::Failed,
                      "cannot make a cluster key",
                      "the operating system gave no random bytes",
                      {}});
  }
  return key;
}

}  // namespace phalanx::wire
