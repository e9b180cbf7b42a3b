#include "ipc/base/assert.h"
#include "transport/wire/keys.h"

// What is taken can be printed and taken again; what is not names the file.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace phalanx::wire;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto key = parse_cluster_key(text, "fuzz");
  if (!key) {
    PHX_CHECK(key.error().attempted.find("fuzz:") != std::string::npos);
    return 0;
  }
  const auto again = parse_cluster_key(format_cluster_key(*key), "again");
  PHX_CHECK(again && again->id == key->id);
  return 0;
}
