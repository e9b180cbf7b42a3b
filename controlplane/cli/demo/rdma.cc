#include "controlplane/cli/demo/rdma.h"

#include <arpa/inet.h>

#include <algorithm>
#include <array>
#include <filesystem>
#include <fstream>
#include <optional>

namespace phalanx::cli {
namespace {

namespace fs = std::filesystem;

std::string first_line(const fs::path& path) {
  std::ifstream file(path);
  std::string line;
  std::getline(file, line);
  return line;
}

std::vector<fs::path> entries(const fs::path& directory) {
  std::vector<fs::path> out;
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(directory, error)) out.push_back(entry.path());
  std::ranges::sort(out);
  return out;
}

/// "0000:0000:0000:0000:0000:ffff:0a4d:0001" is 10.77.0.1.
std::optional<std::string> mapped_ipv4(const std::string& gid) {
  std::array<unsigned char, 16> raw{};
  if (inet_pton(AF_INET6, gid.c_str(), raw.data()) != 1) return std::nullopt;
  constexpr std::array<unsigned char, 12> kMapped = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
  if (!std::equal(kMapped.begin(), kMapped.end(), raw.begin())) return std::nullopt;
  std::array<char, INET_ADDRSTRLEN> out{};
  inet_ntop(AF_INET, raw.data() + kMapped.size(), out.data(), out.size());
  return out.data();
}

}  // namespace

Expected<std::vector<std::string>, Error> rdma_addresses(const std::string& root) {
  std::string seen;
  for (const fs::path& device : entries(root)) {
    std::vector<std::string> found;
    for (const fs::path& port : entries(device / "ports")) {
      const std::string state = first_line(port / "state");
      seen += (seen.empty() ? "" : ", ") + device.filename().string() + "/" +
              port.filename().string() + " is " + (state.empty() ? "silent" : state);
      if (state.find("ACTIVE") == std::string::npos) continue;
      for (const fs::path& gid : entries(port / "gids")) {
        if (first_line(port / "gid_attrs" / "types" / gid.filename()) != "RoCE v2") continue;
        const auto address = mapped_ipv4(first_line(gid));
        if (address && std::ranges::find(found, *address) == found.end()) found.push_back(*address);
      }
    }
    if (!found.empty()) return found;
  }
  return fail(Error{.code = ExitCode::Usage,
                    .attempted = "cannot use --transport verbs",
                    .observed = seen.empty() ? "there is no RDMA device"
                                             : "no active port carries an IPv4 address as RoCE v2 "
                                               "(" +
                                                   seen + ")",
                    .remedy = "give an adapter's interface an IPv4 address and set it up, or make "
                              "a software device: rdma link add rxe0 type rxe netdev IFACE"});
}

}  // namespace phalanx::cli
