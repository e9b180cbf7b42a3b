#include <sys/mman.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <string>
#include <vector>

#include "controlplane/map/service.h"
#include "ipc/base/assert.h"
#include "tests/fuzz/input.h"

namespace {

using namespace phalanx;
using fuzz::Input;
using shm::MapReader;

constexpr map::Writer kAdmin{.uid = 0, .admin = true};
constexpr map::Writer kUser{.uid = 1001, .admin = false};
constexpr std::size_t kFound = shm::kMapValueBytesMax;

/// Fresh for each input, and zero: only what is touched costs anything.
class Memory {
 public:
  Memory()
      : at_(mmap(nullptr, sizeof(shm::MapLayout), PROT_READ | PROT_WRITE,
                 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)) {
    PHX_CHECK(at_ != MAP_FAILED);
  }
  ~Memory() { munmap(at_, sizeof(shm::MapLayout)); }
  Memory(const Memory&) = delete;
  Memory& operator=(const Memory&) = delete;
  [[nodiscard]] shm::MapLayout& layout() const { return *static_cast<shm::MapLayout*>(at_); }

 private:
  void* at_;
};

std::string draw_key(Input& in) {
  constexpr std::array<std::string_view, 6> kKeys = {"admin.one", "admin.two", "user.one",
                                                     "user.two",  "quorum.x",  "no such"};
  const std::size_t which = in.choose(kKeys.size() + 2);
  if (which < kKeys.size()) return std::string(kKeys[which]);
  return std::string(in.choose(256) + (which == kKeys.size() ? 0 : 100), 'k');
}

/// A request as the library makes it, a field of which may be wrong; or rubbish.
std::vector<std::byte> draw_request(Input& in) {
  if (in.choose(16) == 0) {
    const auto rubbish = in.bytes(in.choose(100));
    return {rubbish.begin(), rubbish.end()};
  }
  const std::string key = draw_key(in);
  std::vector<std::byte> value(in.choose(8) == 0 ? in.number(shm::kMapValueBytesMax) % 20'000
                                                 : std::size_t{1} << in.choose(4));
  const auto content = in.bytes(std::min<std::size_t>(value.size(), 16));
  std::copy(content.begin(), content.end(), value.begin());
  shm::MapRequest head{.type = static_cast<std::uint32_t>(in.choose(15)),
                       .number = static_cast<std::uint32_t>(in.choose(3)),
                       .delta = static_cast<std::int64_t>(in.number()),
                       .position = in.number(),
                       .key_bytes = static_cast<std::uint32_t>(key.size()),
                       .reserved = 0};
  switch (in.choose(16)) {
    case 0:
      head.key_bytes = static_cast<std::uint32_t>(in.number());
      break;
    case 1:
      head.key_bytes = static_cast<std::uint32_t>(in.number(head.key_bytes));
      break;
    case 2:
      head.type = head.number = static_cast<std::uint32_t>(in.number());
      break;
    default:
      break;
  }
  std::vector<std::byte> bytes(sizeof head + key.size() + value.size());
  std::memcpy(bytes.data(), &head, sizeof head);
  std::memcpy(bytes.data() + sizeof head, key.data(), key.size());
  std::copy(value.begin(), value.end(),
            bytes.begin() + static_cast<long>(sizeof head + key.size()));
  return bytes;
}

/// Every key, in order, once; as many as the store says.
void read_all(const map::Store& store) {
  static std::vector<std::byte> out(kFound);
  std::string after;
  std::uint32_t keys = 0;
  MapReader::Found found;
  while (store.reader().next("", after, found, out) == MapReader::Result::Found) {
    const std::string key(found.key, found.key_bytes);
    PHX_CHECK(after < key && ++keys <= store.keys());
    PHX_CHECK(found.value_bytes <= kFound);
    PHX_CHECK(!key.starts_with("admin.") || found.owner == kAdmin.uid);
    after = key;
  }
  PHX_CHECK(keys == store.keys());
}

/// A reader of memory that holds rubbish may find nothing, but never leaves it.
void read_rubbish(Input& in, shm::MapLayout& layout) {
  static std::vector<std::byte> out(kFound);
  static std::vector<std::byte> change(shm::kMapChangeBytesMax);
  for (int writes = 0; writes < 8; ++writes) {
    // Heads, indices, the first entries and changes: what is read first.
    const std::array<std::size_t, 4> places = {0, offsetof(shm::MapLayout, index),
                                               offsetof(shm::MapLayout, heap),
                                               offsetof(shm::MapLayout, log)};
    const std::size_t place = places[in.choose(4)] + 4 * in.choose(64);
    const auto value = static_cast<std::uint32_t>(in.number());
    std::memcpy(reinterpret_cast<std::byte*>(&layout) + place, &value, sizeof value);
  }
  layout.round &= ~std::uint64_t{1};  // An odd one is waited for.
  const MapReader reader(&layout);
  MapReader::Found found;
  (void)reader.find("admin.one", found, out);
  (void)reader.next("", "", found, out);
  (void)reader.next("user", "user.one", found, out);
  MapReader::Cursor cursor{.position = in.number(), .sequence = in.number()};
  for (int most = 0; most < 16; ++most) {
    if (reader.take(cursor, change) != MapReader::Change::Taken) break;
    shm::MapChangeParts parts;
    (void)shm::read_map_change(change, parts);
  }
}

}  // namespace

// Clients send the map whatever they like. Keys stay sorted and whole, another user's keys stay as
// they were, and who reads memory that was written over with rubbish is not led out of it.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const Memory memory;
  map::Store store(memory.layout());
  map::Service service(store);
  const map::Statistics statistics = {{"admin.one", {map::MapType::U8, {std::byte{7}}}},
                                      {"user.two", {map::MapType::Binary, {}}}};
  service.join(1, kAdmin);
  service.join(2, kUser);
  Input in(data, size);
  PHX_CHECK(store.set("admin.one", map::MapType::U8, std::array{std::byte{7}}, kAdmin) ==
            map::MapStatus::Ok);
  while (!in.empty()) {
    const map::Service::ClientId client = in.flip() ? 1 : 2;
    const auto call = static_cast<map::MapCall>(in.choose(shm::kMapCalls + 2));
    const std::vector<std::byte> bytes = draw_request(in);
    const std::uint64_t before = store.changes();
    const auto request = shm::read_map_request(bytes);
    const bool admins = request && request->key.starts_with("admin.");
    MapReader::Found found;
    const bool there =
        admins && store.reader().find(request->key, found, {}) == MapReader::Result::Found;
    if (admins && !there && client == 2) continue;  // It may make what is not there.
    const auto outcome = service.on_request(client, call, bytes);
    if (client == 2 && admins) PHX_CHECK(store.changes() == before);
    if (outcome.next == map::Service::Next::NeedStatistics) {
      const std::size_t most = in.number(shm::kMapMessageBytesMax);
      PHX_CHECK(service.answer(outcome.question, statistics, most).bytes.size() <= most);
    }
    (void)service.take_woken();
    read_all(store);
  }
  read_rubbish(in, memory.layout());
  return 0;
}
