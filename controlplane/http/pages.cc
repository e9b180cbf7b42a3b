#include "controlplane/http/pages.h"

#include <utility>

#include "controlplane/http/bounded_server.h"
#include "controlplane/http/metrics.h"
#include "controlplane/http/node_source.h"
#include "controlplane/json_text.h"
#include "controlplane/watch/health.h"

namespace phalanx::http {
namespace {

using httplib::Request;
using httplib::Response;

constexpr const char* kText = "text/plain; charset=utf-8";
constexpr const char* kExposition = "text/plain; version=0.0.4; charset=utf-8";
constexpr const char* kJson = "application/json";

void status_json(const NodeNow& node, Response& out) {
  if (node.running) {
    nlohmann::json status = node.status;
    status["conditions"] = watch::conditions_json(node.status);
    return out.set_content(json_text(status) + "\n", kJson);
  }
  out.status = 503;
  const nlohmann::json error = {{"version", 1}, {"error", {{"code", 3}, {"what", node.error}}}};
  out.set_content(json_text(error) + "\n", kJson);
}

void readiness(const NodeNow& node, Response& out) {
  if (node.running && watch::is_ready(node.status)) return out.set_content("ready\n", kText);
  out.status = 503;
  std::string why = node.running ? "not ready" : node.error;
  if (node.running) {
    for (const watch::Condition& one : watch::conditions(node.status)) why += "; " + one.what;
  }
  out.set_content(why + "\n", kText);
}

}  // namespace

struct Pages::Parts {
  explicit Parts(std::string directory) : node(std::move(directory)), server(Bounds{}) {}

  NodeSource node;
  BoundedServer server;
};

Pages::Pages(std::string directory) : parts_(std::make_unique<Parts>(std::move(directory))) {
  NodeSource& node = parts_->node;
  BoundedServer& server = parts_->server;
  server.set_default_headers(
      {{"X-Content-Type-Options", "nosniff"}, {"Cache-Control", "no-store"}});
  server.Get("/metrics", [&node](const Request&, Response& out) {
    out.set_content(metrics_text(node.now()), kExposition);
  });
  server.Get("/status.json",
             [&node](const Request&, Response& out) { status_json(node.now(), out); });
  server.Get("/healthz", [](const Request&, Response& out) { out.set_content("alive\n", kText); });
  server.Get("/readyz", [&node](const Request&, Response& out) { readiness(node.now(), out); });
  server.Get("/", [](const Request&, Response& out) {
    out.set_content("phalanx-metrics: /metrics /status.json /healthz /readyz\n", kText);
  });
}

Pages::~Pages() = default;

bool Pages::bind(const std::string& host, std::uint16_t port) {
  return parts_->server.bind_to_port(host, port);
}

void Pages::serve() { (void)parts_->server.listen_after_bind(); }

void Pages::stop() { parts_->server.stop(); }

}  // namespace phalanx::http
