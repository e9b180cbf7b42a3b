#include "controlplane/cli/top/tables.h"

#include <algorithm>
#include <cstdio>
#include <nlohmann/json.hpp>

#include "controlplane/cli/output.h"

namespace phalanx::cli {
namespace {

using shm::Counter;

Cell number(double value, int digits = 0) {
  return {.text = fixed(value, digits), .number = value};
}
Cell rate(double value) { return {.text = short_number(value), .number = value}; }
Cell count(std::uint64_t value) {
  return {.text = grouped(value), .number = static_cast<double>(value)};
}
Cell word(std::string value) { return {.text = std::move(value), .is_text = true}; }
Cell none() { return {.text = "-", .number = -1}; }

double milliseconds(TimeNs length) {
  return static_cast<double>(length) / static_cast<double>(kMillisecond);
}

/// Since `then`, on the clock that all processes of a host share.
Cell age(TimeNs then, TimeNs now) {
  if (then == 0 || then == kNever) return none();
  return number(now > then ? milliseconds(now - then) : 0, 1);
}

/// What is counted and shown by one worker, or by all of them together.
struct Shown {
  const std::uint64_t* counters;
  const shm::WorkerStatus& status;

  [[nodiscard]] static Shown of(const watch::Sample& sample) {
    return {sample.counters, sample.status};
  }
  /// All where there is one only, or none of that number.
  [[nodiscard]] static Shown of(const watch::Sample& sample, std::size_t worker) {
    if (worker >= sample.workers.size()) return of(sample);
    return {sample.workers[worker].counters, sample.workers[worker].status};
  }
  [[nodiscard]] std::uint64_t counter(Counter counter) const {
    return counters[static_cast<std::size_t>(counter)];
  }
};

class Rates {
 public:
  explicit Rates(const TopSource& source)
      : Rates(source, Shown::of(source.before), Shown::of(source.now)) {}
  Rates(const TopSource& source, const Shown& before, const Shown& now)
      : before_(before),
        now_(now),
        seconds_(milliseconds(source.now.taken_at - source.before.taken_at) / 1e3) {}

  /// Nothing is counted twice, and a counter that began anew gives 0, not a huge number.
  [[nodiscard]] double of(std::uint64_t before, std::uint64_t now) const {
    return now > before && seconds_ > 0 ? static_cast<double>(now - before) / seconds_ : 0;
  }
  [[nodiscard]] double of(Counter counter) const {
    return of(before_.counter(counter), now_.counter(counter));
  }

 private:
  Shown before_;
  Shown now_;
  double seconds_;
};

double ratio(double part, double whole) { return whole > 0 ? part / whole : 0; }

std::vector<Cell> worker_row(const TopSource& source, std::size_t index) {
  const Shown now = Shown::of(source.now, index);
  const Rates rates(source, Shown::of(source.before, index), now);
  const TimeNs silent = source.now.taken_at - std::min(source.now.taken_at, now.status.written_at);
  const double bursts = rates.of(Counter::RxBursts) + rates.of(Counter::TxBursts);
  const double frames = rates.of(Counter::RxFrames) + rates.of(Counter::TxFrames);
  const std::string state = silent > watch::kSilentAfter ? "silent"
                            : now.status.frozen != 0     ? "frozen"
                                                         : "turning";
  return {number(static_cast<double>(index)),
          word(state),
          number(100 * rates.of(Counter::BusyNs) / 1e9, 1),
          rate(rates.of(Counter::Turns)),
          rate(rates.of(Counter::Sleeps)),
          number(milliseconds(now.status.gaps.recent), 1),
          number(milliseconds(now.status.gaps.longest), 1),
          rate(rates.of(Counter::Submitted)),
          rate(rates.of(Counter::EventsDelivered)),
          number(rates.of(Counter::RecordBytesDelivered) / 1e6, 1),
          rate(rates.of(Counter::RxFrames)),
          rate(rates.of(Counter::TxFrames)),
          number(ratio(frames, bursts), 1),
          count(now.counter(Counter::WireOverflow)),
          count(now.counter(Counter::WireRefused) + now.counter(Counter::WireTxRefused))};
}

TopTable workers(const TopSource& source) {
  TopTable table{.headings = {"worker", "state", "busy %", "turns/s", "sleeps/s", "gap ms",
                              "longest ms", "sent/s", "delivered/s", "delivered MB/s",
                              "rx frames/s", "tx frames/s", "frames/burst", "lost", "refused"},
                 .rows = {}};
  const std::size_t count = std::max<std::size_t>(1, source.now.workers.size());
  for (std::size_t i = 0; i < count; ++i) table.rows.push_back(worker_row(source, i));
  return table;
}

TopTable lanes(const TopSource& source) {
  const Rates rates(source);
  TopTable table{
      .headings = {"lane", "orderer", "records/s", "MB/s", "position", "unstable", "window %",
                   "naks sent", "naks heard", "repairs", "hand-overs", "order hash", "state"},
      .rows = {}};
  for (std::uint32_t i = 0; i < source.now.status.lanes; ++i) {
    const shm::LaneStatus& lane = source.now.status.lane[i];
    const shm::LaneStatus& before = source.before.status.lane[i];
    const std::uint64_t unstable = lane.received - std::min(lane.received, lane.stable);
    const bool same_view = lane.view_sequence == before.view_sequence;
    const std::string state = lane.poisoned != 0      ? "poisoned"
                              : lane.divergences != 0 ? "diverged"
                                                      : "sound";
    std::array<char, 17> hash{};
    std::snprintf(hash.data(), hash.size(), "%016llx",
                  static_cast<unsigned long long>(lane.order_hash));
    table.rows.push_back(
        {count(i), count(lane.orderer), rate(rates.of(before.records, lane.records)),
         number(same_view ? rates.of(before.received, lane.received) / 1e6 : 0, 1),
         count(lane.received), count(unstable),
         number(100 * ratio(static_cast<double>(unstable), static_cast<double>(lane.window)), 1),
         count(lane.naks_sent), count(lane.naks_heard), count(lane.repairs_sent),
         count(lane.handovers), word(hash.data()), word(state)});
  }
  return table;
}

TopTable groups(const TopSource& source) {
  const Rates rates(source);
  TopTable table{
      .headings = {"group", "lane", "members", "local", "messages/s", "MB/s", "messages", "bytes"},
      .rows = {}};
  std::map<GroupId, const shm::GroupStatus*> before;
  for (std::uint32_t i = 0; i < source.before.tables.groups; ++i) {
    before[source.before.tables.group[i].id] = &source.before.tables.group[i];
  }
  for (std::uint32_t i = 0; i < source.now.tables.groups; ++i) {
    const shm::GroupStatus& group = source.now.tables.group[i];
    const auto old = before.find(group.id);
    const shm::GroupStatus& was = old == before.end() ? group : *old->second;
    table.rows.push_back({word(escaped({group.name, group.name_bytes})), count(group.lane),
                          count(group.members), count(group.local),
                          rate(rates.of(was.messages, group.messages)),
                          number(rates.of(was.bytes, group.bytes) / 1e6, 1), count(group.messages),
                          count(group.bytes)});
  }
  return table;
}

TopTable clients(const TopSource& source) {
  const Rates rates(source);
  TopTable table{.headings = {"client", "pid", "uid", "groups", "sent/s", "sent", "unsent",
                              "unsent %", "unread", "unread %", "full ms", "state"},
                 .rows = {}};
  std::map<ClientId, std::uint64_t> before;
  for (std::uint32_t i = 0; i < source.before.tables.clients; ++i) {
    before[source.before.tables.client[i].id] = source.before.tables.client[i].submitted;
  }
  for (std::uint32_t i = 0; i < source.now.tables.clients; ++i) {
    const shm::ClientStatus& client = source.now.tables.client[i];
    const auto share = [](std::uint64_t queued, std::uint64_t ring) {
      return 100 * ratio(static_cast<double>(queued), static_cast<double>(ring));
    };
    const auto old = before.find(client.id);
    const std::string state = client.evicted != 0   ? "evicted"
                              : client.leaving != 0 ? "leaving"
                                                    : "attached";
    table.rows.push_back(
        {count(client.id), number(client.pid), number(client.uid), count(client.groups),
         rate(rates.of(old == before.end() ? client.submitted : old->second, client.submitted)),
         count(client.submitted), count(client.submit_queued),
         number(share(client.submit_queued, client.submit_bytes), 1), count(client.deliver_queued),
         number(share(client.deliver_queued, client.deliver_bytes), 1),
         age(client.blocked_since, source.now.tables.written_at), word(state)});
  }
  return table;
}

TopTable peers(const TopSource& source) {
  TopTable table{.headings = {"node", "name", "in view", "heard ms", "progress ms", "naks sent",
                              "naks heard", "state"},
                 .rows = {}};
  for (const shm::PeerStatus& peer : source.now.status.peer) {
    if (peer.node == 0) continue;
    const auto& status = source.now.status;
    const bool in_view =
        std::any_of(status.member, status.member + status.members,
                    [&](const Member& member) { return member.node == peer.node; });
    const auto name = source.names.find(peer.node);
    table.rows.push_back({number(peer.node), word(name == source.names.end() ? "?" : name->second),
                          word(in_view ? "yes" : "no"),
                          in_view ? age(peer.heard, status.written_at) : none(),
                          in_view ? age(peer.progressed, status.written_at) : none(),
                          count(peer.naks_sent), count(peer.naks_heard),
                          word(!in_view                     ? "out"
                               : peer.distrusts_itself != 0 ? "was not scheduled"
                                                            : "sound")});
  }
  return table;
}

std::string length_text(TimeNs length) {
  const TimeNs seconds = length / kSecond;
  if (seconds < 120) return std::to_string(seconds) + " s";
  if (seconds < 7200) return std::to_string(seconds / 60) + " min";
  return std::to_string(seconds / 3600) + " h";
}

}  // namespace

std::string_view to_string(View view) noexcept {
  switch (view) {
    case View::Workers:
      return "workers";
    case View::Lanes:
      return "lanes";
    case View::Groups:
      return "groups";
    case View::Clients:
      return "clients";
    case View::Peers:
      return "peers";
  }
  return "corrupt";
}

TopTable table_of(View view, const TopSource& source) {
  switch (view) {
    case View::Workers:
      return workers(source);
    case View::Lanes:
      return lanes(source);
    case View::Groups:
      return groups(source);
    case View::Clients:
      return clients(source);
    case View::Peers:
      return peers(source);
  }
  return {};
}

void sort_by(TopTable& table, std::size_t column, bool reverse) {
  if (column >= table.headings.size()) return;
  const auto before = [&](const std::vector<Cell>& a, const std::vector<Cell>& b) {
    const Cell& x = a[column];
    const Cell& y = b[column];
    return x.is_text ? x.text < y.text : x.number > y.number;
  };
  std::ranges::stable_sort(table.rows, [&](const auto& a, const auto& b) {
    return reverse ? before(b, a) : before(a, b);
  });
}

std::string head_line(const TopSource& source, NodeId self) {
  const shm::WorkerStatus& status = source.now.status;
  const auto name = source.names.find(self);
  std::string line = name == source.names.end() ? std::string("node") : name->second;
  line += " (" + std::to_string(self) + ")";
  line += status.view.is_none() ? ", no view"
                                : ", view " + std::to_string(status.view.sequence) + " of " +
                                      counted(status.members, "node") +
                                      (status.quorate != 0 ? ", quorate" : ", NOT QUORATE");
  line += "; " + counted(status.clients, "client") + ", " + counted(status.groups, "group");
  line += "; data plane " + std::to_string(source.pid) + " up " +
          length_text(source.now.taken_at - std::min(source.now.taken_at, source.started_at));
  if (source.now.tables.groups_unlisted != 0) {
    line += "; " + counted(source.now.tables.groups_unlisted, "group") + " not listed";
  }
  return line;
}

nlohmann::json json_of(const TopTable& table) {
  nlohmann::json rows = nlohmann::json::array();
  for (const auto& row : table.rows) {
    nlohmann::json object = nlohmann::json::object();
    for (std::size_t i = 0; i < row.size(); ++i) {
      std::string key(table.headings[i]);
      std::ranges::replace(key, ' ', '_');
      const bool unknown = !row[i].is_text && row[i].number < 0;
      object[key] = row[i].is_text ? nlohmann::json(row[i].text)
                    : unknown      ? nlohmann::json()
                                   : nlohmann::json(row[i].number);
    }
    rows.push_back(std::move(object));
  }
  return rows;
}

std::vector<std::string> lines_of(const TopTable& table) {
  Table text(std::vector<std::string>(table.headings.begin(), table.headings.end()));
  for (const auto& row : table.rows) {
    std::vector<std::string> cells;
    cells.reserve(row.size());
    for (const Cell& cell : row) cells.push_back(cell.text);
    text.row(std::move(cells));
  }
  std::vector<std::string> lines;
  const std::string whole = text.text();
  for (std::size_t at = 0; at < whole.size();) {
    const std::size_t end = whole.find('\n', at);
    lines.push_back(whole.substr(at, end - at));
    at = end + 1;
  }
  return lines;
}

}  // namespace phalanx::cli
