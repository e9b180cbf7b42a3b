// The data path alone: N real data planes, a client process on each (and more that only read, on
// node 1), no control plane. Prints the
// rate of messages delivered at every node and the processor time they took, or the latency of one
// message outstanding.

#include <phalanx/phalanx.h>
#include <sys/mman.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "ipc/base/time_ns.h"
#include "perf/harness/data_planes.h"
#include "perf/harness/placement.h"

namespace {

using namespace phalanx;

constexpr std::size_t kSamplesMax = 1u << 20;

struct Options {
  std::string program;
  std::size_t nodes = 3;
  std::size_t size = 64;
  std::size_t batch = 1;    ///< Messages a call.
  bool in_place = false;    ///< Built in the submit ring, `batch` at a time.
  bool batches = false;     ///< Taken by the callback for many.
  bool shared = false;      ///< Read from the shared log.
  std::size_t readers = 0;  ///< On node 1, beside its client.
  double seconds = 3;
  std::string senders = "1";  ///< Node numbers: "1", "2", "1,2,3".
  bool insecure = false;
  bool latency = false;
  bool pin = false;
  bool apart = false;  ///< Pinned, and clients on the other core.
  int spin_us = 0;
  std::string transport = "udp";
  std::string config;
};

/// What a client process tells: shared memory, one writer each.
struct alignas(64) Report {
  std::atomic<int> ready;
  std::atomic<int> finished;
  std::atomic<std::uint64_t> delivered;
  std::atomic<std::uint64_t> hash;
  std::atomic<std::uint64_t> sent;
  std::atomic<std::uint64_t> evicted;
  std::atomic<std::uint64_t> cpu_ns;
};
struct Shared {
  std::atomic<int> go;
  std::atomic<int> stop;
  Report reports[64];
  std::uint64_t sample_count;
  std::uint32_t samples[kSamplesMax];
};

std::uint64_t cpu_ns_of(pid_t pid) {
  std::uint64_t total = 0;
  for (const auto& task :
       std::filesystem::directory_iterator("/proc/" + std::to_string(pid) + "/task")) {
    std::uint64_t ns = 0;
    std::ifstream(task.path() / "schedstat") >> ns;
    total += ns;
  }
  return total;
}

std::uint64_t own_cpu_ns() {
  timespec t{};
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
  return static_cast<std::uint64_t>(t.tv_sec) * kSecond + static_cast<std::uint64_t>(t.tv_nsec);
}

struct Client {
  Report* report;
  std::uint64_t delivered = 0;
  std::uint64_t hash = 0;
  std::uint64_t own = 0;
  std::size_t members = 0;
  std::uint32_t node = 0;
};

void on_message(void* context, phx_handle, const phx_message* message) {
  auto& client = *static_cast<Client*>(context);
  std::uint64_t first = 0;
  std::memcpy(&first, message->data, std::min<std::size_t>(sizeof first, message->bytes));
  client.hash = (client.hash ^ first ^ message->node) * 0x9E3779B97F4A7C15ull;
  ++client.delivered;
  if (message->node == client.node) ++client.own;
}
void on_messages(void* context, phx_handle handle, const phx_message* messages, std::size_t count) {
  for (std::size_t i = 0; i < count; ++i) on_message(context, handle, &messages[i]);
}
void on_group_view(void* context, phx_handle, const phx_group_view* view) {
  static_cast<Client*>(context)->members = view->member_count;
}
void on_connection(void* context, phx_handle, const phx_connection* connection) {
  if (connection->event == PHX_EVENT_EVICTED)
    static_cast<Client*>(context)->report->evicted.fetch_add(1);
}

void check(phx_status status, const char* what) {
  if (status == PHX_OK) return;
  std::fprintf(stderr, "%s: %s\n", what, phx_strerror(status));
  _exit(1);
}

/// As phx_multicast_batch(), but nothing is copied. TRY_AGAIN after a part, too.
phx_status build_in_place(phx_handle handle, phx_group group, const Options& options,
                          std::uint64_t number, std::size_t& accepted) {
  std::array<phx_room, PHX_RESERVED_MAX> rooms;
  for (std::size_t i = 0; i < options.batch; ++i) rooms[i].bytes = options.size;
  accepted = 0;
  const phx_status status =
      phx_reserve(handle, group, rooms.data(), options.batch, PHX_AGREED, &accepted);
  if (status != PHX_OK) return status;
  for (std::size_t i = 0; i < accepted; ++i) {
    const std::uint64_t n = number + i;
    std::memset(rooms[i].data, 0x5a, options.size);
    std::memcpy(rooms[i].data, &n, std::min(sizeof n, options.size));
  }
  return phx_commit(handle, nullptr, 0);
}

void flood(Client& client, phx_handle handle, phx_group group, const Options& options,
           Shared& shared, bool sends) {
  const std::size_t batch = options.batch;
  std::vector<char> buffer(batch * options.size);
  std::vector<iovec> messages;
  for (std::size_t i = 0; i < batch; ++i) {
    messages.push_back({buffer.data() + i * options.size, options.size});
  }
  std::uint64_t sent = 0;
  while (shared.stop.load(std::memory_order_relaxed) == 0) {
    bool idle = true;
    for (std::size_t i = 0; sends && i < 256; i += batch) {
      for (std::uint64_t k = 0; k < batch; ++k) {
        const std::uint64_t number = sent + k;
        std::memcpy(messages[k].iov_base, &number, std::min(sizeof number, options.size));
      }
      std::size_t accepted = 1;
      const phx_status status =
          options.in_place ? build_in_place(handle, group, options, sent, accepted)
          : batch == 1
              ? phx_multicast(handle, group, messages.data(), 1, PHX_AGREED)
              : phx_multicast_batch(handle, group, messages.data(), batch, PHX_AGREED, &accepted);
      if (status != PHX_OK && status != PHX_TRY_AGAIN) break;
      if (status == PHX_TRY_AGAIN && (batch == 1 || options.in_place)) break;
      sent += accepted;
      idle = idle && accepted == 0;
      if (status != PHX_OK) break;
    }
    // Who reads or finds no room waits as an application would: it yields for a while, then sleeps.
    phx_dispatch(handle, PHX_DISPATCH_ALL, idle ? 10 : 0);
    client.report->delivered.store(client.delivered, std::memory_order_relaxed);
  }
  client.report->sent = sent;
  const TimeNs patience = monotonic_now() + 2 * kSecond;
  std::uint64_t last = ~std::uint64_t{0};
  TimeNs quiet_since = 0;
  while (monotonic_now() < patience) {  // Until nothing has come for a while.
    phx_dispatch(handle, PHX_DISPATCH_ALL, 10);
    if (client.delivered != last) quiet_since = monotonic_now();
    if (monotonic_now() > quiet_since + 300 * kMillisecond) break;
    last = client.delivered;
  }
}

void ping(Client& client, phx_handle handle, phx_group group, const Options& options,
          Shared& shared, bool sends) {
  std::vector<char> buffer(options.size);
  while (shared.stop.load(std::memory_order_relaxed) == 0) {
    if (!sends) {
      phx_dispatch(handle, PHX_DISPATCH_ALL, 10);
      continue;
    }
    const iovec part{buffer.data(), buffer.size()};
    const TimeNs start = monotonic_now();
    const std::uint64_t before = client.own;
    if (phx_multicast(handle, group, &part, 1, PHX_AGREED) != PHX_OK) continue;
    while (client.own == before && shared.stop.load() == 0)
      phx_dispatch(handle, PHX_DISPATCH_ONE, 10);
    const TimeNs took = monotonic_now() - start;
    if (shared.sample_count < kSamplesMax)
      shared.samples[shared.sample_count++] = static_cast<std::uint32_t>(took);
  }
}

void run_client(std::size_t index, const std::string& directory, const Options& options,
                Shared& shared) {
  Client client{.report = &shared.reports[index], .node = static_cast<std::uint32_t>(index + 1)};
  const bool only_reads = index >= options.nodes;
  const std::string instance = perf::DataPlanes::instance(only_reads ? 0 : index);
  if (only_reads) client.node = 0;
  phx_options attach{};
  attach.struct_bytes = sizeof attach;
  attach.callbacks = {.message = on_message,
                      .group_view = on_group_view,
                      .node_view = nullptr,
                      .connection = on_connection};
  if (options.batches) attach.callbacks.messages = on_messages;
  attach.delivery = options.shared ? PHX_DELIVERY_SHARED : PHX_DELIVERY_PRIVATE;
  attach.context = &client;
  attach.spin_us = options.spin_us;
  attach.instance = instance.c_str();
  attach.runtime_directory = directory.c_str();
  phx_handle handle{};
  phx_group group{};
  check(phx_initialize(&attach, &handle), "phx_initialize");
  check(phx_join(handle, "bench", 5, &group), "phx_join");
  while (client.members < options.nodes + options.readers)
    phx_dispatch(handle, PHX_DISPATCH_ALL, 10);
  client.report->ready = 1;
  while (shared.go.load() == 0) usleep(1000);
  const std::uint64_t cpu = own_cpu_ns();
  const bool sends = ("," + options.senders + ",").find("," + std::to_string(index + 1) + ",") !=
                     std::string::npos;
  (options.latency ? ping : flood)(client, handle, group, options, shared, sends);
  client.report->cpu_ns = own_cpu_ns() - cpu;
  client.report->delivered = client.delivered;
  client.report->hash = client.hash;
  client.report->finished = 1;
  phx_finalize(handle);
  _exit(0);
}

Options parse(int argc, char** argv) {
  Options o;
  const std::string self = argv[0];
  o.program = self.substr(0, self.rfind('/') + 1) + "../dataplane/daemon/phalanx-dataplane";
  for (int i = 1; i < argc; ++i) {
    const std::string name = argv[i];
    const auto value = [&] { return i + 1 < argc ? argv[++i] : ""; };
    if (name == "--nodes")
      o.nodes = std::strtoul(value(), nullptr, 10);
    else if (name == "--size")
      o.size = std::strtoul(value(), nullptr, 10);
    else if (name == "--batch")
      o.batch = std::clamp<std::size_t>(std::strtoul(value(), nullptr, 10), 1, PHX_PARTS_MAX);
    else if (name == "--seconds")
      o.seconds = std::strtod(value(), nullptr);
    else if (name == "--senders")
      o.senders = value();
    else if (name == "--insecure")
      o.insecure = true;
    else if (name == "--in-place")
      o.in_place = true;
    else if (name == "--batches")
      o.batches = true;
    else if (name == "--shared")
      o.shared = true;
    else if (name == "--readers")
      o.readers = std::clamp<std::size_t>(std::strtoul(value(), nullptr, 10), 0, 32);
    else if (name == "--latency")
      o.latency = true;
    else if (name == "--pin")
      o.pin = true;
    else if (name == "--apart")
      o.pin = o.apart = true;
    else if (name == "--spin-us")
      o.spin_us = std::atoi(value());
    else if (name == "--transport")
      o.transport = value();
    else if (name == "--config-text")
      o.config = value();
    else if (name == "--dataplane")
      o.program = value();
    else {
      std::fprintf(
          stderr,
          "usage: %s [--nodes N] [--size B] [--batch N] [--seconds S] [--senders 1,2] [--insecure] "
          "[--latency] [--pin] [--apart] [--transport udp|shm|memif] [--in-place] [--batches] "
          "[--shared] "
          "[--readers N]"
          " [--spin-us US] [--config-text TOML] [--dataplane PATH]\n",
          argv[0]);
      std::exit(2);
    }
  }
  if (o.in_place) o.batch = std::min<std::size_t>(o.batch, PHX_RESERVED_MAX);
  if (o.shared) o.config += "\n[client]\nshared_log = \"16MiB\"\n";
  return o;
}

void print_latency(Shared& shared) {
  std::sort(shared.samples, shared.samples + shared.sample_count);
  const auto at = [&](double share) {
    if (shared.sample_count == 0) return 0.0;
    const auto i = static_cast<std::size_t>(share * static_cast<double>(shared.sample_count - 1));
    return static_cast<double>(shared.samples[i]) / 1000.0;
  };
  std::printf("samples=%llu p50=%.1f p99=%.1f p999=%.1f max=%.1f us\n",
              static_cast<unsigned long long>(shared.sample_count), at(0.5), at(0.99), at(0.999),
              at(1));
}

}  // namespace

int main(int argc, char** argv) {
  const Options options = parse(argc, argv);
  auto& shared = *static_cast<Shared*>(
      mmap(nullptr, sizeof(Shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0));
  perf::DataPlanes planes({.program = options.program,
                           .nodes = options.nodes,
                           .transport = options.transport,
                           .extra_config = options.config,
                           .insecure = options.insecure,
                           // Two of these at once do not meet.
                           .first_port = static_cast<std::uint16_t>(25000 + getpid() % 300 * 128)});
  planes.install_first_view();
  std::vector<pid_t> clients;
  const std::size_t processes = options.nodes + options.readers;
  for (std::size_t i = 0; i < processes; ++i) {
    const pid_t pid = fork();
    if (pid == 0) run_client(i, planes.runtime_directory(), options, shared);
    clients.push_back(pid);
    if (options.pin) {  // The orderer's worker and its client have a core, the rest the other.
      if (i < options.nodes) (void)perf::bind_process(planes.pid(i), i == 0 ? 0 : 1);
      (void)perf::bind_process(pid, (i == 0) != options.apart ? 0 : 1);
    }
  }
  const auto all = [&](auto field) {
    return std::all_of(shared.reports, shared.reports + processes,
                       [&](Report& r) { return (r.*field).load() != 0; });
  };
  const TimeNs patience = monotonic_now() + 10 * kSecond;
  planes.adopt_clients([&] { return all(&Report::ready) || monotonic_now() > patience; });
  std::vector<std::uint64_t> cpu;
  for (std::size_t i = 0; i < options.nodes; ++i) cpu.push_back(cpu_ns_of(planes.pid(i)));
  shared.go = 1;
  const TimeNs start = monotonic_now();
  usleep(static_cast<useconds_t>(options.seconds * 1e6));
  std::vector<std::uint64_t> delivered;
  for (std::size_t i = 0; i < options.nodes; ++i) delivered.push_back(shared.reports[i].delivered);
  const double seconds = static_cast<double>(monotonic_now() - start) / 1e9;
  for (std::size_t i = 0; i < options.nodes; ++i) cpu[i] = cpu_ns_of(planes.pid(i)) - cpu[i];
  shared.stop = 1;
  for (const pid_t pid : clients) waitpid(pid, nullptr, 0);
  if (options.latency) {
    print_latency(shared);
    return 0;
  }
  bool agree = true;
  for (std::size_t i = 0; i < options.nodes; ++i) {
    const Report& r = shared.reports[i];
    agree = agree && r.hash == shared.reports[0].hash && r.delivered == shared.reports[0].delivered;
    std::printf(
        "node %zu: %.3f M msg/s, %.3f GB/s, sent %llu, delivered %llu, evicted %llu, hash "
        "%016llx\n",
        i + 1, static_cast<double>(delivered[i]) / seconds / 1e6,
        static_cast<double>(delivered[i] * options.size) / seconds / 1e9,
        static_cast<unsigned long long>(r.sent.load()),
        static_cast<unsigned long long>(r.delivered.load()),
        static_cast<unsigned long long>(r.evicted.load()),
        static_cast<unsigned long long>(r.hash.load()));
    const auto per_message = [&](std::uint64_t ns) {
      return delivered[i] == 0 ? 0.0
                               : static_cast<double>(ns) / 1e3 / static_cast<double>(delivered[i]);
    };
    std::printf("  cpu us a message: data plane %.3f, client %.3f;", per_message(cpu[i]),
                per_message(r.cpu_ns));
    for (std::size_t c = 0; c < shm::kCounters; ++c) {
      const auto counter = static_cast<shm::Counter>(c);
      const std::uint64_t value = planes.plane(i).counter(counter);
      if (value != 0) {
        std::printf(" %.*s=%llu", static_cast<int>(shm::counter_name(counter).size()),
                    shm::counter_name(counter).data(), static_cast<unsigned long long>(value));
      }
    }
    std::printf("\n");
  }
  for (std::size_t i = options.nodes; i < processes; ++i) {
    const Report& r = shared.reports[i];
    std::printf("reader: delivered %llu, %.3f cpu us a message, evicted %llu\n",
                static_cast<unsigned long long>(r.delivered.load()),
                static_cast<double>(r.cpu_ns.load()) / 1e3 /
                    static_cast<double>(std::max<std::uint64_t>(1, r.delivered.load())),
                static_cast<unsigned long long>(r.evicted.load()));
    agree = agree && (r.evicted > 0 || r.hash == shared.reports[0].hash);
  }
  std::printf("order %s\n", agree ? "agrees" : "DIFFERS");
  return agree ? 0 : 1;
}
