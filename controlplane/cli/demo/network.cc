#include "controlplane/cli/demo/network.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <span>

namespace phalanx::cli {
namespace {

constexpr const char* kOwnNetwork = "/proc/self/ns/net";

Error no_namespace(const char* call) {
  return system_error("cannot make a network namespace", call, errno,
                      "without root the demo uses loopback ports");
}

/// Makes a namespace without leaving ours: the descriptor keeps it.
Expected<Fd, Error> make_namespace(int home) {
  if (unshare(CLONE_NEWNET) != 0) return fail(no_namespace("unshare"));
  Fd made(open(kOwnNetwork, O_RDONLY | O_CLOEXEC));
  if (!made) return fail(no_namespace("open"));
  if (setns(home, CLONE_NEWNET) != 0) return fail(no_namespace("setns"));
  return made;
}

/// Feeds `commands` to `ip -batch -` inside a namespace.
Expected<void, Error> run_ip(int network, const std::string& commands) {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) return fail(system_error("cannot run ip", "pipe", errno));
  Fd in(ends[0]);
  Fd out(ends[1]);
  const pid_t child = fork();
  if (child < 0) return fail(system_error("cannot run ip", "fork", errno));
  if (child == 0) {
    dup2(in.get(), STDIN_FILENO);
    if (setns(network, CLONE_NEWNET) != 0) _exit(126);
    execlp("ip", "ip", "-batch", "-", static_cast<char*>(nullptr));
    _exit(127);
  }
  in.reset();
  const ssize_t wrote = write(out.get(), commands.data(), commands.size());
  out.reset();
  int status = 0;
  while (waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  if (wrote == static_cast<ssize_t>(commands.size()) && WIFEXITED(status) &&
      WEXITSTATUS(status) == 0) {
    return {};
  }
  const bool missing = WIFEXITED(status) && WEXITSTATUS(status) == 127;
  return fail(Error{.attempted = "cannot set up the demo's network",
                    .observed = missing ? "there is no command ip" : "ip failed",
                    .remedy = missing ? "apt install iproute2" : "see its message above"});
}

Expected<Fd, Error> socket_in(int network, int home) {
  if (setns(network, CLONE_NEWNET) != 0) return fail(no_namespace("setns"));
  Fd made(socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  const int error = errno;
  if (setns(home, CLONE_NEWNET) != 0) return fail(no_namespace("setns"));
  if (!made) return fail(system_error("cannot reach the demo's bridge", "socket", error));
  return made;
}

/// Where the host's kernel has br_netfilter, each frame on a bridge also runs through the rules of
/// IP: a third of the work of carrying it, for nothing, as a new namespace has no rules.
void spare_ip_rules(int network, int home) {
  if (setns(network, CLONE_NEWNET) != 0) return;
  for (const char* rules : {"iptables", "ip6tables", "arptables"}) {
    const std::string path = std::string("/proc/sys/net/bridge/bridge-nf-call-") + rules;
    const Fd file(open(path.c_str(), O_WRONLY | O_CLOEXEC));
    if (file && write(file.get(), "0", 1) != 1) continue;  // Slower, not wrong.
  }
  if (setns(home, CLONE_NEWNET) != 0) abort();
}

ifreq request_for(const std::string& interface) {
  ifreq request{};
  interface.copy(request.ifr_name, IFNAMSIZ - 1);
  return request;
}

Error no_change(const std::string& what, const char* call) {
  return system_error("cannot " + what, call, errno,
                      "links of the demo can be cut only as root, with a namespace for each node");
}

std::string port_of(std::size_t node) { return "port" + std::to_string(node); }

std::string host_of(std::size_t node) { return "10.77.0." + std::to_string(node); }
std::string management_of(std::size_t node) { return "10.78.0." + std::to_string(node); }

/// A bridge, and for each node a port of it, whose other end is `interface` in the node's
/// namespace.
std::string bridge_commands(const std::string& bridge, const std::string& port,
                            const std::string& interface, std::uint32_t mtu,
                            std::span<const Fd> nodes) {
  const std::string bytes = " mtu " + std::to_string(mtu);
  std::string out =
      "link add " + bridge + " type bridge forward_delay 0\nlink set " + bridge + " up\n";
  const std::string self = "/proc/" + std::to_string(getpid()) + "/fd/";
  for (std::size_t node = 1; node <= nodes.size(); ++node) {
    const std::string end = port + std::to_string(node);
    out += "link add " + end + bytes + " type veth peer name " + interface + bytes + " netns " +
           self + std::to_string(nodes[node - 1].get()) + "\nlink set " + end + " master " +
           bridge + " up\n";
  }
  return out;
}

/// What a node does with its end, or ends.
std::string node_commands(DemoNetwork::Ports ports, std::size_t node) {
  std::string out = "link set lo up\nlink set data up\n";
  if (ports == DemoNetwork::Ports::One)
    return out + "address add " + host_of(node) + "/24 dev data\n";
  return out + "address add " + management_of(node) + "/24 dev mgmt\nlink set mgmt up\n";
}

}  // namespace

Expected<DemoNetwork, Error> DemoNetwork::in_namespaces(std::size_t nodes, Ports ports) {
  const Fd home(open(kOwnNetwork, O_RDONLY | O_CLOEXEC));
  if (!home) return fail(no_namespace("open"));
  DemoNetwork network;
  for (std::size_t i = 0; i <= nodes; ++i) {
    auto made = make_namespace(home.get());
    if (!made) return fail(made.error());
    network.namespaces_.push_back(std::move(*made));
  }
  spare_ip_rules(network.namespaces_[0].get(), home.get());
  auto bridge = socket_in(network.namespaces_[0].get(), home.get());
  if (!bridge) return fail(bridge.error());
  network.bridge_ = std::move(*bridge);
  const std::span<const Fd> inside = std::span(network.namespaces_).subspan(1);
  constexpr std::uint32_t kMtu = 1500;
  const bool dpdk = ports == Ports::DataForDpdk;
  std::string commands = bridge_commands("bridge", "port", "data", dpdk ? kDataMtu : kMtu, inside);
  if (dpdk) commands += bridge_commands("mbridge", "mport", "mgmt", kMtu, inside);
  if (const auto done = run_ip(network.namespaces_[0].get(), commands); !done) {
    return fail(done.error());
  }
  for (std::size_t node = 1; node <= nodes; ++node) {
    const auto done = run_ip(inside[node - 1].get(), node_commands(ports, node));
    if (!done) return fail(done.error());
    const std::string management = ports == Ports::One ? host_of(node) : management_of(node);
    network.places_.push_back({.address = host_of(node) + ":5405",
                               .management = management + ":5406",
                               .network = inside[node - 1].get()});
  }
  return network;
}

Expected<void, Error> DemoNetwork::set_link(std::size_t node, bool up) const {
  ifreq request = request_for(port_of(node));
  if (ioctl(bridge_.get(), SIOCGIFFLAGS, &request) == 0) {
    const int flags = request.ifr_flags;
    request.ifr_flags = static_cast<short>(up ? flags | IFF_UP : flags & ~IFF_UP);
    if (ioctl(bridge_.get(), SIOCSIFFLAGS, &request) == 0) return {};
  }
  return fail(no_change("set the link of node " + std::to_string(node), "SIOCSIFFLAGS"));
}

Expected<void, Error> DemoNetwork::set_bridged(std::size_t node, bool bridged) const {
  ifreq port = request_for(port_of(node));
  if (ioctl(bridge_.get(), SIOCGIFINDEX, &port) == 0) {
    ifreq request = request_for("bridge");
    request.ifr_ifindex = port.ifr_ifindex;
    if (ioctl(bridge_.get(), bridged ? SIOCBRADDIF : SIOCBRDELIF, &request) == 0) return {};
  }
  return fail(no_change("part node " + std::to_string(node) + " from the others", "SIOCBRADDIF"));
}

Expected<DemoNetwork, Error> DemoNetwork::on_loopback(std::size_t nodes) {
  return on_addresses(nodes, {"127.0.0.1"});
}

Expected<DemoNetwork, Error> DemoNetwork::on_addresses(std::size_t nodes,
                                                       const std::vector<std::string>& addresses) {
  // All sockets are held until all ports are known, so that no port is given twice.
  std::vector<Fd> held;
  const auto free_port = [&](const std::string& host) -> Expected<std::string, Error> {
    Fd fd(socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
    sockaddr_in address{};
    address.sin_family = AF_INET;
    inet_pton(AF_INET, host.c_str(), &address.sin_addr);
    socklen_t length = sizeof address;
    auto* generic = reinterpret_cast<sockaddr*>(&address);
    if (!fd || bind(fd.get(), generic, length) != 0 ||
        getsockname(fd.get(), generic, &length) != 0) {
      return fail(system_error("cannot find a free port on " + host, "bind", errno));
    }
    held.push_back(std::move(fd));
    return host + ":" + std::to_string(ntohs(address.sin_port));
  };
  DemoNetwork network;
  for (std::size_t i = 0; i < nodes; ++i) {
    const std::string& host = addresses[i % addresses.size()];
    auto address = free_port(host);
    if (!address) return fail(address.error());
    auto management = free_port(host);
    if (!management) return fail(management.error());
    network.places_.push_back({.address = *address, .management = *management});
  }
  return network;
}

}  // namespace phalanx::cli
