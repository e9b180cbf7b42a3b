#include <cstddef>
#include <cstdint>
#include <string_view>

#include "config/explain.h"
#include "config/load.h"
#include "ipc/base/assert.h"

// Whatever the bytes, the loader answers with a configuration or with errors; and what it took, it
// can print and take again.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace phalanx::config;
  const LoadOptions options{.instance = "n1", .check_key_file = false};
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto config = parse(text, "fuzz", options);
  if (!config) {
    PHX_CHECK(!config.error().errors.empty());
    PHX_CHECK(!config.error().text().empty());
    return 0;
  }
  const auto again = parse(show(*config), "shown", {.instance = "", .check_key_file = false});
  PHX_CHECK(again.has_value());
  PHX_CHECK(cluster_hash(*again) == cluster_hash(*config));
  return 0;
}
