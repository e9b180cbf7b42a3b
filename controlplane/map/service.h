#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "controlplane/map/store.h"
#include "ipc/shm/map_protocol.h"

namespace phalanx::map {

using shm::MapCall;

/// A value of the statistics map, computed when it is asked for.
struct Statistic {
  MapType type = MapType::None;
  std::vector<std::byte> value;
};
/// Sorted by key.
using Statistics = std::map<std::string, Statistic, std::less<>>;

/// What the service counted since start.
struct ServiceCounters {
  std::uint64_t requests = 0;
  std::uint64_t refused = 0;            ///< Any error; of these:
  std::uint64_t refused_access = 0;     ///< a key of another user,
  std::uint64_t refused_read_only = 0;  ///< a key of the daemon's.
  std::uint64_t malformed = 0;          ///< Clients cut for what no library sends.
  std::uint64_t wakes = 0;
};

/// Answers the clients of the map, request by request. Sans-I/O: who calls sends the replies and
/// the wakes. Single-threaded.
class Service {
 public:
  /// Of all clients together: each change is compared with every one.
  static constexpr std::size_t kTrackersMax = 4096;
  using ClientId = std::uint64_t;

  explicit Service(Store& store) : store_(store) {}

  void join(ClientId client, const Writer& who);
  void leave(ClientId client);

  /// What is wanted of the statistics.
  struct Question {
    MapCall call = MapCall::StatsGet;
    std::string key;
    std::string after;
  };
  enum class Next : std::uint8_t {
    Reply,           ///< With no bytes, or the refusal that the status is.
    Nothing,         ///< It was an Arm.
    NeedStatistics,  ///< answer() is to be called with `question` once they are there.
    CutOff,
  };
  struct Outcome {
    Next next = Next::CutOff;
    MapStatus status = MapStatus::Malformed;
    Question question;
  };
  /// Takes one request of a client, whose bytes nobody changes meanwhile.
  [[nodiscard]] Outcome on_request(ClientId client, MapCall call, std::span<const std::byte> bytes);

  struct Answer {
    MapStatus status = MapStatus::Ok;
    std::vector<std::byte> bytes;
  };
  /// The reply to the request that needed `statistics`, of at most so many bytes.
  [[nodiscard]] Answer answer(const Question& question, const Statistics& statistics,
                              std::size_t bytes_max);

  /// Those who sleep and for whom something came since the last call; each once for an Arm.
  [[nodiscard]] std::vector<ClientId> take_woken();
  /// Looks whom the changes since the last call concern. on_request() does so by itself; call it
  /// after changes of one's own.
  void notice_changes();

  [[nodiscard]] const ServiceCounters& counters() const noexcept { return counters_; }
  [[nodiscard]] std::size_t clients() const noexcept { return clients_.size(); }
  [[nodiscard]] std::size_t trackers() const noexcept { return trackers_; }

 private:
  struct Tracker {
    std::uint32_t number = 0;
    std::uint32_t events = 0;
    std::string key;
  };
  struct Client {
    Writer who;
    bool armed = false;
    std::vector<Tracker> trackers;
  };

  [[nodiscard]] MapStatus serve(Client& client, MapCall call, const shm::MapRequestParts& request);
  [[nodiscard]] MapStatus track(Client& client, const shm::MapRequestParts& request);
  [[nodiscard]] MapStatus untrack(Client& client, std::uint32_t number);
  void arm(ClientId id, Client& client, std::uint64_t position);
  /// Wakes those of the armed whom `concerns` says it is for.
  template <class Concerns>
  void wake_if(const Concerns& concerns);
  void count(MapStatus status);

  Store& store_;
  shm::MapReader::Cursor noticed_;
  std::map<ClientId, Client> clients_;
  std::vector<ClientId> armed_;
  std::vector<ClientId> woken_;
  std::vector<std::byte> change_ = std::vector<std::byte>(shm::kMapChangeBytesMax);
  std::size_t trackers_ = 0;
  ServiceCounters counters_;
};

}  // namespace phalanx::map
