#include "cli/report.h"

#include <cstdio>
#include <vector>

namespace gnomon::cli {

namespace {

// One figure: its name in JSON, its name for a person, its value.
struct Figure {
  const char* key;
  const char* name;
  double value;
  int digits;
};

double seconds(Duration time) { return std::chrono::duration<double>(time).count(); }
double per(double total, std::uint64_t count) {
  return count == 0 ? 0 : total / static_cast<double>(count);
}
double number(std::uint64_t value) { return static_cast<double>(value); }

void add_connections(const LoadReport& report, std::vector<Figure>& figures) {
  const std::uint64_t count = report.options.subscribers;
  const double held = number(report.resident_after) - number(report.resident_before);
  figures.push_back({"connections", "connections", number(count), 0});
  figures.push_back({"connecting_s", "connecting, s", seconds(report.connecting), 3});
  if (report.options.pid == 0) return;
  figures.push_back({"connect_cpu_us", "broker CPU per connect and subscribe, µs",
                     per(seconds(report.connect_cpu.total()) * 1e6, count), 2});
  figures.push_back({"bytes_per_connection", "resident bytes per connection", per(held, count), 0});
  figures.push_back({"idle_cpu_percent", "broker CPU when idle, %",
                     100 * seconds(report.idle_cpu.total()) / seconds(report.options.idle_for), 2});
}

// What a message cost the broker, and this generator.
void add_cost(const LoadReport& report, const Spent& spent, std::uint64_t count,
              std::vector<Figure>& figures) {
  const auto us = [&](Duration time) { return per(seconds(time) * 1e6, count); };
  figures.push_back(
      {"generator_cpu_us", "generator CPU per message, µs", us(spent.generator.total()), 3});
  if (report.options.pid == 0) return;
  figures.push_back({"cpu_us", "broker CPU per message, µs", us(spent.broker.total()), 3});
  figures.push_back({"user_us", "  of it user, µs", us(spent.broker.user), 3});
}

void add_stored(const LoadReport& report, std::vector<Figure>& figures) {
  const Spent& spent = report.storing;
  const double took = seconds(spent.took);
  figures.push_back({"stored", "stored", number(report.stored), 0});
  figures.push_back({"storing_s", "storing, s", took, 3});
  figures.push_back({"stored_per_s", "stored/s", number(report.stored) / took, 0});
  if (report.options.pid == 0) return;
  figures.push_back({"store_cpu_us", "broker CPU per stored message, µs",
                     per(seconds(spent.broker.total()) * 1e6, report.stored), 3});
}

void add_faults(const LoadReport& report, std::vector<Figure>& figures) {
  const double lost = number(report.expected) - number(report.delivered);
  figures.push_back({"lost", "lost", lost, 0});
  figures.push_back({"out_of_order", "out of order", number(report.out_of_order), 0});
  figures.push_back({"unacknowledged", "unacknowledged", number(report.unacknowledged), 0});
  figures.push_back({"refused", "refused by the broker", number(report.refused), 0});
  figures.push_back(
      {"wrong_acks", "PUBACKs or PUBRECs out of order", number(report.wrong_acks), 0});
  figures.push_back({"closed", "connections closed by the broker", number(report.closed), 0});
}

void add_latency(const LoadReport& report, std::vector<Figure>& figures) {
  const auto us = [&](double fraction) {
    return seconds(report.latency.percentile(fraction)) * 1e6;
  };
  figures.push_back({"p50_us", "latency p50, µs", us(0.5), 0});
  figures.push_back({"p90_us", "latency p90, µs", us(0.9), 0});
  figures.push_back({"p99_us", "latency p99, µs", us(0.99), 0});
  figures.push_back({"p999_us", "latency p99.9, µs", us(0.999), 0});
  figures.push_back({"max_us", "latency max, µs", seconds(report.latency.most()) * 1e6, 0});
}

void add_messages(const LoadReport& report, std::vector<Figure>& figures) {
  const Presence presence = report.options.presence;
  figures.push_back({"published", "published", number(report.published), 0});
  if (presence != Presence::there) add_stored(report, figures);
  if (presence != Presence::away) {
    const double took = seconds(report.delivery.took);
    figures.push_back({"delivered", "delivered", number(report.delivered), 0});
    figures.push_back({"delivering_s", "delivering, s", took, 3});
    figures.push_back({"messages_per_s", "messages/s", number(report.delivered) / took, 0});
    add_cost(report, report.delivery, report.delivered, figures);
  }
  add_faults(report, figures);
  if (report.options.pid != 0)
    figures.push_back({"resident_peak", "resident peak, bytes", number(report.resident_peak), 0});
  if (report.options.rate) add_latency(report, figures);
}

void add_connects(const LoadReport& report, std::vector<Figure>& figures) {
  const double took = seconds(report.delivery.took);
  const auto us = [&](Duration time) { return per(seconds(time) * 1e6, report.connects); };
  figures.push_back({"connects", "connects", number(report.connects), 0});
  figures.push_back({"resumed", "of them resumed", number(report.resumed), 0});
  figures.push_back({"connecting_s", "connecting, s", took, 3});
  figures.push_back({"connects_per_s", "connects/s", number(report.connects) / took, 0});
  figures.push_back({"generator_cpu_us", "generator CPU per connect, µs",
                     us(report.delivery.generator.total()), 1});
  if (report.options.pid != 0) {
    figures.push_back(
        {"connect_cpu_us", "broker CPU per connect, µs", us(report.delivery.broker.total()), 1});
    figures.push_back({"user_us", "  of it user, µs", us(report.delivery.broker.user), 1});
  }
  figures.push_back({"closed", "connections closed by the broker", number(report.closed), 0});
  add_latency(report, figures);
}

void add_mesh(const LoadReport& report, std::vector<Figure>& figures) {
  const double took = seconds(report.delivery.took);
  figures.push_back({"clients", "clients", number(report.options.subscribers), 0});
  figures.push_back({"published", "published", number(report.published), 0});
  figures.push_back({"acknowledged", "acknowledged", number(report.acknowledged), 0});
  figures.push_back({"refused", "refused by the broker", number(report.refused), 0});
  figures.push_back({"unacknowledged", "unacknowledged", number(report.unacknowledged), 0});
  figures.push_back({"delivered", "delivered", number(report.delivered), 0});
  figures.push_back(
      {"delivered_after", "delivered after the end", number(report.delivered_after), 0});
  figures.push_back({"delivering_s", "delivering, s", took, 3});
  figures.push_back({"messages_per_s", "delivered/s", number(report.delivered) / took, 0});
  add_cost(report, report.delivery, report.delivered, figures);
  figures.push_back({"lost", "acknowledged, and lost", number(report.lost), 0});
  figures.push_back({"out_of_order", "out of order", number(report.out_of_order), 0});
  figures.push_back({"wrong_acks", "PUBACKs out of order", number(report.wrong_acks), 0});
  figures.push_back({"closed", "connections closed by the broker", number(report.closed), 0});
  if (report.options.pid != 0) {
    figures.push_back({"resident_quarter", "resident after 25 % of the time, bytes",
                       number(report.resident_quarter), 0});
    figures.push_back(
        {"resident_end", "resident at the end, bytes", number(report.resident_end), 0});
    figures.push_back({"resident_peak", "resident peak, bytes", number(report.resident_peak), 0});
  }
  figures.push_back(
      {"bystander_sent", "messages of the bystanders", number(report.bystander_sent), 0});
  figures.push_back(
      {"bystander_lost", "of them lost, or more than 3 s late", number(report.bystander_lost), 0});
  add_latency(report, figures);
}

void add_shadows(const LoadReport& report, std::vector<Figure>& figures) {
  const double took = seconds(report.delivery.took);
  figures.push_back({"clients", "clients", number(report.options.subscribers), 0});
  figures.push_back({"published", "requests", number(report.published), 0});
  figures.push_back({"accepted", "accepted", number(report.delivered), 0});
  figures.push_back({"delivering_s", "within, s", took, 3});
  figures.push_back({"accepted_per_s", "accepted/s", number(report.delivered) / took, 0});
  add_cost(report, report.delivery, report.delivered, figures);
  figures.push_back({"rejected", "rejected", number(report.rejected), 0});
  figures.push_back({"lost", "without an answer",
                     number(report.expected) - number(report.delivered + report.rejected), 0});
  figures.push_back({"out_of_order", "answers out of order", number(report.out_of_order), 0});
  figures.push_back({"unacknowledged", "unacknowledged", number(report.unacknowledged), 0});
  figures.push_back({"refused", "refused by the broker", number(report.refused), 0});
  figures.push_back({"wrong_acks", "PUBACKs out of order", number(report.wrong_acks), 0});
  figures.push_back({"closed", "connections closed by the broker", number(report.closed), 0});
  if (report.options.pid != 0)
    figures.push_back({"resident_peak", "resident peak, bytes", number(report.resident_peak), 0});
  add_latency(report, figures);
}

std::vector<Figure> figures_of(const LoadReport& report) {
  std::vector<Figure> figures;
  switch (report.options.shape) {
    case Shape::connections:
      add_connections(report, figures);
      break;
    case Shape::connects:
      add_connects(report, figures);
      break;
    case Shape::mesh:
      add_mesh(report, figures);
      break;
    case Shape::shadows:
    case Shape::shadow_gets:
      add_shadows(report, figures);
      break;
    default:
      add_messages(report, figures);
  }
  return figures;
}

std::string decimal(double value, int digits) {
  char text[64];
  std::snprintf(text, sizeof text, "%.*f", digits, value);
  return text;
}

}  // namespace

std::string as_table(const std::string& shape, const LoadReport& report) {
  std::string text = shape + ", QoS " + std::to_string(report.options.qos) + '\n';
  for (const Figure& figure : figures_of(report)) {
    std::string value = decimal(figure.value, figure.digits);
    value.insert(0, value.size() < 14 ? 14 - value.size() : 0, ' ');
    text += value + "  " + figure.name + '\n';
  }
  return text;
}

std::string as_json(const std::string& shape, const LoadReport& report) {
  std::string text = "{\"load\":\"" + shape + "\",\"qos\":" + std::to_string(report.options.qos);
  for (const Figure& figure : figures_of(report)) {
    text += ",\"" + std::string(figure.key) + "\":" + decimal(figure.value, figure.digits);
  }
  return text + "}\n";
}

void ProgressLine::show(const LoadProgress& progress) {
  if (!shown_) return;
  drawn_ = true;
  std::fprintf(stderr, "\r%-12s %6.1f s  %12llu  %10llu/s ", progress.doing,
               seconds(progress.elapsed), static_cast<unsigned long long>(progress.done),
               static_cast<unsigned long long>(progress.per_second));
  std::fflush(stderr);
}

void ProgressLine::clear() {
  if (drawn_) std::fputs("\r\033[K", stderr);
}

}  // namespace gnomon::cli
