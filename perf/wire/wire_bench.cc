#include "perf/wire/wire_bench.h"

#include <cstdio>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>

#include "controlplane/cli/output.h"
#include "controlplane/cli/stop_signal.h"
#include "perf/wire/open_wire.h"
#include "perf/wire/wire_run.h"

namespace phalanx::perf {
namespace {

using nlohmann::json;

constexpr const char* kFooter =
    "Start it on each host of --nodes with the same options and its own --self; node 1 measures "
    "and prints.\n"
    "Frames are neither sealed nor ordered: this is the wire below Phalanx, to be compared with "
    "ib_send_lat -c UD\n"
    "and ib_send_bw -c UD, or with another kind of wire.";

double microseconds(const Histogram& of, double quantile) {
  return static_cast<double>(of.at(quantile)) / 1e3;
}

double per_second(std::uint64_t frames, double seconds) {
  return seconds > 0 ? static_cast<double>(frames) / seconds : 0;
}

double lost_percent(std::uint64_t sent, std::uint64_t received) {
  return sent == 0 || received >= sent
             ? 0
             : 100.0 * static_cast<double>(sent - received) / static_cast<double>(sent);
}

json report_json(const WireOptions& options, const WireReport& report, const std::string& on) {
  json out = {{"shape", options.shape}, {"transport", options.transport}, {"on", on},
              {"size", options.size},   {"copies", options.copies},       {"sent", report.sent}};
  if (options.shape == "latency") {
    out["lost"] = report.lost;
    out["half_trip_us"] = {{"p50", microseconds(report.half_trips, 0.5)},
                           {"p99", microseconds(report.half_trips, 0.99)},
                           {"p999", microseconds(report.half_trips, 0.999)},
                           {"max", static_cast<double>(report.half_trips.max()) / 1e3}};
    return out;
  }
  const double rate = per_second(report.sent, report.seconds);
  out["frames_per_s"] = rate;
  out["mb_per_s"] = rate * static_cast<double>(options.size) / 1e6;
  out["receivers"] = json::array();
  for (const WireReport::Receiver& one : report.receivers) {
    out["receivers"].push_back({{"node", one.node},
                                {"frames", one.frames},
                                {"frames_per_s", per_second(one.frames, one.seconds)},
                                {"lost_percent", lost_percent(report.sent, one.frames)}});
  }
  return out;
}

std::string report_text(const WireOptions& options, const WireReport& report,
                        const std::string& on) {
  std::string out =
      options.shape + " over " + on + ", " + std::to_string(options.size) + " bytes a frame\n";
  if (options.shape == "latency") {
    const Histogram& h = report.half_trips;
    return out + "half round trip of " + cli::grouped(h.total()) + " pings: p50 " +
           cli::fixed(microseconds(h, 0.5), 2) + " us, p99 " +
           cli::fixed(microseconds(h, 0.99), 2) + ", p99.9 " +
           cli::fixed(microseconds(h, 0.999), 2) + ", max " +
           cli::fixed(static_cast<double>(h.max()) / 1e3, 2) + "; " + cli::grouped(report.lost) +
           " lost\n";
  }
  const double rate = per_second(report.sent, report.seconds);
  out += "sent " + cli::grouped(report.sent) + " frames in " + cli::fixed(report.seconds, 2) +
         " s: " + cli::short_number(rate) + "/s, " +
         cli::fixed(rate * static_cast<double>(options.size) / 1e6, 1) + " MB/s\n";
  cli::Table table({"node", "received", "per second", "lost %"});
  for (const WireReport::Receiver& one : report.receivers) {
    table.row({std::to_string(one.node), cli::grouped(one.frames),
               cli::short_number(per_second(one.frames, one.seconds)),
               cli::fixed(lost_percent(report.sent, one.frames), 2)});
  }
  return out + table.text();
}

ExitCode run(const WireOptions& options, const cli::Globals& globals) {
  cli::catch_stop_signals();
  const auto addresses = addresses_of(options);
  if (!addresses) return cli::report(addresses.error(), globals);
  const auto wire = open_wire(options, *addresses);
  if (!wire) return cli::report(wire.error(), globals);
  const std::uint32_t most = (*wire)->limits().frame_bytes_max;
  if (options.size > most) {
    return cli::report(
        {.code = ExitCode::Usage,
         .attempted = "cannot send frames of " + std::to_string(options.size) + " bytes",
         .observed = "this wire takes " + std::to_string(most),
         .remedy = "give a smaller --size, or a larger --mtu to all nodes"},
        globals);
  }
  const std::string on = options.transport + " " + (*wire)->ports().driver;
  WireNode node(**wire, static_cast<NodeId>(options.self), addresses->size());
  if (options.self != 1) {
    const auto served = serve(node);
    if (!served) return cli::report(served.error(), globals);
    std::fprintf(stderr, "node %lu received %lu frames\n", options.self, *served);
    return ExitCode::Fine;
  }
  const auto measured = lead(node, options);
  if (!measured) return cli::report(measured.error(), globals);
  const std::string text = globals.json ? report_json(options, *measured, on).dump(2) + "\n"
                                        : report_text(options, *measured, on);
  std::fputs(text.c_str(), stdout);
  return ExitCode::Fine;
}

}  // namespace

void add_wire_bench(cli::Command& root, const cli::Globals& globals) {
  const auto o = std::make_shared<WireOptions>();
  root.add("wire", "The wire below Phalanx: latency, bandwidth, fan-out of bare frames.")
      .word("--transport", o->transport, {"verbs", "udp"}, "What carries the frames")
      .required_text("--nodes", o->nodes, "ADDRESS:PORT of all nodes, commas between")
      .number("--self", o->self, {1, 64}, "Which of them this is, from 1")
      .word("--shape", o->shape, {"latency", "bandwidth", "fanout"},
            "Pings between nodes 1 and 2; frames of 1 to 2 at full speed; of 1 to all")
      .text("--group", o->group, "Multicast group", "ADDRESS")
      .flag("--copies", o->copies, "A copy for each node instead of multicast")
      .text("--device", o->device, "RDMA device; the one with the address when not given", "NAME")
      .number("--size", o->size, {sizeof(WireWord), 9000}, "Bytes of a frame")
      .number("--mtu", o->mtu, {576, 9216}, "Of the path, in bytes of IP")
      .number("--count", o->count, {1, 1'000'000'000}, "Pings")
      .seconds("--seconds", o->seconds, "How long at full speed")
      .footer(kFooter)
      .run([&globals, o] { return run(*o, globals); });
}

}  // namespace phalanx::perf
