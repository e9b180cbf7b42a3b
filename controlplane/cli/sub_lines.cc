#include "controlplane/cli/sub_lines.h"

#include <unistd.h>

#include <cerrno>
#include <nlohmann/json.hpp>

#include "controlplane/cli/output.h"

namespace phalanx::cli {
namespace {

std::string who(std::uint32_t node, std::uint32_t client) {
  return std::to_string(node) + ":" + std::to_string(client);
}

}  // namespace

void SubLines::view(std::uint64_t sequence, std::span<const std::uint32_t> nodes) {
  if (format_ == Format::Json) {
    const nlohmann::json line = {{"event", "view"},
                                 {"sequence", sequence},
                                 {"nodes", std::vector(nodes.begin(), nodes.end())}};
    pending_ += line.dump() + "\n";
    return;
  }
  pending_ += "view " + std::to_string(sequence) + " nodes";
  for (const std::uint32_t node : nodes) pending_ += " " + std::to_string(node);
  pending_ += "\n";
}

void SubLines::message(std::uint32_t node, std::uint32_t client, std::string_view bytes) {
  if (format_ == Format::Text) {
    pending_ += who(node, client) + " " + escaped(bytes) + "\n";
    return;
  }
  const nlohmann::json line = {
      {"event", "message"}, {"node", node}, {"client", client}, {"text", escaped(bytes)}};
  pending_ += line.dump() + "\n";
}

void SubLines::member(std::string_view what, std::uint32_t node, std::uint32_t client) {
  if (format_ == Format::Text) {
    pending_ += std::string(what) + " " + who(node, client) + "\n";
    return;
  }
  const nlohmann::json line = {{"event", what}, {"node", node}, {"client", client}};
  pending_ += line.dump() + "\n";
}

bool SubLines::flush(int fd) {
  std::string_view left = pending_;
  while (!left.empty()) {
    const ssize_t wrote = write(fd, left.data(), left.size());
    if (wrote < 0 && errno == EINTR) continue;
    if (wrote < 0) return false;
    left.remove_prefix(static_cast<std::size_t>(wrote));
  }
  pending_.clear();
  return true;
}

}  // namespace phalanx::cli
