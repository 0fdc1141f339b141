// TLS on the simulated network: both ends are ours; real clients are in tests/blackbox.
#include "net/tls.h"

#include <algorithm>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <doctest/doctest.h>
#include <openssl/ec.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include "base/random.h"
#include "net/http.h"
#include "net/tls_stream.h"
#include "net/websocket.h"
#include "runtime/sim.h"

namespace gnomon::net {
namespace {

struct Pems {
  std::string certificate, key;
};

std::string text_of(BIO* bio) {
  char* data = nullptr;
  const long size = BIO_get_mem_data(bio, &data);
  return {data, static_cast<std::size_t>(size)};
}

// Signed by itself, for this name.
Pems make_pems(const std::string& name) {
  const Held<EVP_PKEY> key(EVP_EC_gen("P-256"));
  const Held<X509> made(X509_new());
  X509* certificate = made.get();
  X509_set_version(certificate, 2);
  ASN1_INTEGER_set(X509_get_serialNumber(certificate), 1);
  X509_gmtime_adj(X509_getm_notBefore(certificate), -3600);
  X509_gmtime_adj(X509_getm_notAfter(certificate), 3600);
  X509_set_pubkey(certificate, key.get());
  X509_NAME* subject = X509_get_subject_name(certificate);
  X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_UTF8,
                             reinterpret_cast<const unsigned char*>(name.c_str()), -1, -1, 0);
  X509_set_issuer_name(certificate, subject);
  const std::string alternative = "DNS:" + name;
  X509_EXTENSION* names =
      X509V3_EXT_conf_nid(nullptr, nullptr, NID_subject_alt_name, alternative.c_str());
  X509_add_ext(certificate, names, -1);
  X509_EXTENSION_free(names);
  X509_sign(certificate, key.get(), EVP_sha256());
  const Held<BIO> certificate_out(BIO_new(BIO_s_mem())), key_out(BIO_new(BIO_s_mem()));
  PEM_write_bio_X509(certificate_out.get(), certificate);
  PEM_write_bio_PrivateKey(key_out.get(), key.get(), nullptr, nullptr, 0, nullptr, nullptr);
  return {text_of(certificate_out.get()), text_of(key_out.get())};
}
const Pems& server_pems() {
  static const Pems pems = make_pems("server.test");
  return pems;
}

// One end: keeps what it gets.
struct End final : runtime::StreamHandler {
  void on_bytes(ByteView bytes) override {
    got.append(as_text(bytes));
    if (echo) {
      stream->output().append(bytes);
      stream->flush();
    }
    if (close_at_bytes) stream.reset();
    if (pause_at_bytes) stream->pause();
  }
  void on_connected() override { connected = true; }
  void on_drained() override { ++drained; }
  void on_ended(runtime::Ended why) override {
    ended = why;
    stream.reset();
  }
  void say(std::string_view text) {
    stream->output().append(text);
    stream->flush();
  }
  runtime::StreamPtr stream;
  std::string got;
  bool connected = false, echo = false, close_at_bytes = false, pause_at_bytes = false;
  int drained = 0;
  std::optional<runtime::Ended> ended;
};

// A server, and clients of it.
struct World {
  explicit World(TlsConfig::Server server = {}, std::uint64_t seed = 1) : network(seed) {
    server.certificates = server_pems().certificate;
    server.key = server_pems().key;
    auto config = TlsConfig::server(server);
    REQUIRE(config);
    loop = network.make_loop();
    layer = std::make_unique<TlsLayer>(*loop, *config);
    listener = std::move(
        *loop->listen({"127.0.0.1", 0}, [this](std::span<const runtime::Accepted> accepted) {
          for (const auto& each : accepted) {
            End& end = *ends.emplace_back(std::make_unique<End>());
            end.echo = echo;
            end.close_at_bytes = close_at_bytes;
            end.stream = layer->adopt(each, end);
          }
        }));
    client_loop = network.make_loop();
    loop->start("server");
    client_loop->start("client");
  }
  ~World() {
    for (auto& end : ends) end->stream.reset();
    for (auto& end : clients) end->stream.reset();
  }
  TlsLayer& make_client(TlsConfig::Client client = {}) {
    if (client.authorities.empty()) client.authorities = server_pems().certificate;
    auto config = TlsConfig::client(client);
    REQUIRE(config);
    return *client_layers.emplace_back(std::make_unique<TlsLayer>(*client_loop, *config));
  }
  End& connect(TlsLayer& from, std::shared_ptr<TlsLayer::Session> session = nullptr,
               const std::string& name = "server.test") {
    End& end = *clients.emplace_back(std::make_unique<End>());
    end.stream = from.connect(listener->address(), name, end, std::move(session));
    return end;
  }

  // Handshakes that the server has seen fail so.
  [[nodiscard]] std::uint64_t failed(TlsFault fault) const {
    return layer->stats().failed[static_cast<std::size_t>(fault)];
  }

  bool echo = true, close_at_bytes = false;
  runtime::SimNetwork network;
  std::unique_ptr<runtime::Loop> loop, client_loop;
  std::unique_ptr<TlsLayer> layer;
  std::vector<std::unique_ptr<TlsLayer>> client_layers;
  std::vector<std::unique_ptr<End>> ends, clients;
  std::unique_ptr<runtime::Listener> listener;
};

// Reads what comes first, and hands the stream on with it.
struct Reader final : runtime::StreamHandler {
  Reader(TlsLayer& to, End& then) : layer(to), end(then) {}
  void on_bytes(ByteView bytes) override {
    end.stream = layer.adopt(std::move(stream), bytes, end);
  }
  void on_ended(runtime::Ended) override { stream.reset(); }
  TlsLayer& layer;
  End& end;
  runtime::StreamPtr stream;
};

TEST_CASE("a stream whose beginning somebody else has read") {
  for (std::uint64_t seed = 1; seed <= 30; ++seed) {
    World world({}, seed);
    world.network.set_splitting(seed % 2 == 0);
    std::vector<std::unique_ptr<Reader>> readers;
    world.listener = std::move(
        *world.loop->listen({"127.0.0.1", 0}, [&](std::span<const runtime::Accepted> accepted) {
          for (const auto& each : accepted) {
            End& end = *world.ends.emplace_back(std::make_unique<End>());
            end.echo = true;
            auto& reader = *readers.emplace_back(std::make_unique<Reader>(*world.layer, end));
            reader.stream = world.loop->adopt(each, reader);
          }
        }));
    TlsLayer& layer = world.make_client();
    End& end = world.connect(layer);
    end.say("hello");
    world.network.run();
    CHECK(end.got == "hello");
    REQUIRE(world.ends.size() == 1);
    CHECK(world.ends[0]->connected);
  }
}

TEST_CASE("what is said arrives, in both directions, whatever the pieces") {
  for (std::uint64_t seed = 1; seed <= 30; ++seed) {
    World world({}, seed);
    world.network.set_splitting(seed % 2 == 0);
    SeededRandom random(seed);
    TlsLayer& layer = world.make_client();
    End& end = world.connect(layer);
    std::string said;
    for (int i = 0; i < 10; ++i) {
      const std::string text(1 + random.below(i == 5 ? 300'000 : 3000), static_cast<char>('a' + i));
      if (end.stream) end.say(text);  // also before the handshake is done
      said += text;
      for (auto steps = random.below(20); steps > 0; --steps) world.network.step();
    }
    world.network.run();
    REQUIRE(end.stream);
    CHECK(end.connected);
    CHECK(end.got == said);
    CHECK(end.stream->security()->version == "TLSv1.3");
    CHECK(world.layer->stats().handshakes == 1);
  }
}

TEST_CASE("a long answer is written to its end, also to a peer that takes all of it at once") {
  for (const std::size_t size :
       std::initializer_list<std::size_t>{100'000, 300'000, 600'000, 3'000'000}) {
    World world;
    End& end = world.connect(world.make_client());
    world.network.run();
    REQUIRE(end.connected);
    const int drained = end.drained;
    end.say(std::string(size, 'x'));
    world.network.step();
    world.network.run();
    CHECK(end.got == std::string(size, 'x'));
    CHECK(end.stream->pending() == 0);
    CHECK((size < 300'000 || end.drained > drained));
  }
}

TEST_CASE("ALPN: the server's dearest; only others: refused; none: nothing is chosen") {
  World world({.certificates = {},
               .key = {},
               .protocols = {"x-amzn-mqtt-ca", "mqtt"},
               .ask_for_certificate = false});
  const auto protocol = [&](std::vector<std::string> offered) -> std::string {
    End& end = world.connect(world.make_client(
        {.authorities = {}, .certificates = {}, .key = {}, .protocols = std::move(offered)}));
    world.network.run();
    if (end.ended) return "refused";
    return world.ends.back()->stream->security()->protocol;
  };
  CHECK(protocol({"mqtt", "x-amzn-mqtt-ca"}) == "x-amzn-mqtt-ca");
  CHECK(protocol({"h2", "mqtt"}) == "mqtt");
  CHECK(protocol({"h2", "http/1.1"}) == "refused");
  CHECK(world.failed(TlsFault::no_agreement) == 1);
  CHECK(protocol({}).empty());
}

TEST_CASE("a client's certificate is seen, resumed too, and none is no error") {
  World world({.certificates = {}, .key = {}, .protocols = {}, .ask_for_certificate = true});
  const Pems mine = make_pems("lamp");
  TlsLayer& with = world.make_client(
      {.authorities = {}, .certificates = mine.certificate, .key = mine.key, .protocols = {}});
  const auto session = TlsLayer::make_session();
  std::string first;
  for (int round = 0; round < 3; ++round) {
    End& end = world.connect(with, session);
    end.say("hello");
    world.network.run();
    REQUIRE(end.stream);
    const runtime::Security& seen = *world.ends.back()->stream->security();
    CHECK(seen.resumed == (round > 0));
    CHECK(seen.certificate.size() > 100);
    if (round == 0) first = seen.certificate;
    CHECK(seen.certificate == first);
    end.stream.reset();
    world.network.run();
  }
  CHECK(world.layer->stats().resumed == 2);
  End& without = world.connect(world.make_client());
  world.network.run();
  CHECK(without.connected);
  CHECK(world.ends.back()->stream->security()->certificate.empty());
}

TEST_CASE("a server that is another one is not talked to") {
  World world;
  End& wrong_name = world.connect(world.make_client(), nullptr, "other.test");
  world.network.run();
  CHECK(wrong_name.ended);
  CHECK_FALSE(wrong_name.connected);
  const std::string other = make_pems("server.test").certificate;
  End& wrong_authority = world.connect(
      world.make_client({.authorities = other, .certificates = {}, .key = {}, .protocols = {}}));
  world.network.run();
  CHECK(wrong_authority.ended);
  CHECK(world.failed(TlsFault::by_client) == 2);
  End& anybody = world.connect(
      world.make_client(
          {.authorities = {}, .certificates = {}, .key = {}, .protocols = {}, .verify = false}),
      nullptr, "other.test");
  world.network.run();
  CHECK(anybody.connected);
}

TEST_CASE("a server is told why a handshake has failed") {
  World world({.certificates = {}, .key = {}, .protocols = {"mqtt"}, .ask_for_certificate = false});
  std::vector<std::string> told;
  world.layer->on_failed([&](const runtime::Peer& peer, TlsFault, std::string_view why) {
    CHECK(peer.is_loopback());
    told.emplace_back(why);
  });
  world.connect(world.make_client(), nullptr, "other.test");
  world.network.run();
  world.connect(
      world.make_client({.authorities = {}, .certificates = {}, .key = {}, .protocols = {"h2"}}));
  world.network.run();
  world.network.connect(world.listener->address())
      ->send(as_bytes("\x10\x0c"
                      "abcdefgh"));
  world.network.run();
  CHECK(told == std::vector<std::string>{"the client refuses TLS: sslv3 alert bad certificate",
                                         "TLS failed: no application protocol",
                                         "the client does not speak TLS"});
}

TEST_CASE("what is not TLS ends, and says so only to its own user") {
  World world;
  std::uint64_t told = 0;
  world.layer->on_failed([&](const runtime::Peer&, TlsFault, std::string_view why) {
    CHECK_FALSE(why.empty());
    ++told;
  });
  SeededRandom random(1);
  for (int i = 0; i < 200; ++i) {
    const auto link = world.network.connect(world.listener->address());
    std::string bytes(1 + random.below(400), '\0');
    for (char& byte : bytes) byte = static_cast<char>(random.next());
    if (i % 3 == 0) bytes = "\x10\x0c\x00\x04MQTT\x05\x02\x00\x00\x00\x00";
    if (i % 3 == 1) bytes.insert(0, std::string("\x16\x03\x01\x01\x00\x01", 6));
    link->send(as_bytes(bytes));
    world.network.run();
    if (i % 2 == 0) link->close(true);
    world.network.run();
  }
  for (auto& end : world.ends) {
    CHECK_FALSE(end->connected);
    CHECK(end->got.empty());
  }
  CHECK(world.failed(TlsFault::not_tls) > 60);
  CHECK(world.failed(TlsFault::gone) > 20);
  std::uint64_t failed = 0;
  for (const std::uint64_t each : world.layer->stats().failed) failed += each;
  CHECK(told == failed);
  End& good = world.connect(world.make_client());
  good.say("still there");
  world.network.run();
  CHECK(good.got == "still there");
}

TEST_CASE("goodbye: what was said before arrives, and the other end hears of it") {
  World world;
  End& end = world.connect(world.make_client());
  world.network.run();
  world.ends[0]->say("last words");
  world.ends[0]->stream.reset();
  world.network.run();
  CHECK(end.got == "last words");
  CHECK(end.ended == runtime::Ended::by_peer);
}

TEST_CASE("a stream may be dropped while it brings bytes") {
  World world;
  world.close_at_bytes = true;
  world.echo = false;
  End& end = world.connect(world.make_client());
  end.say("x");
  world.network.run();
  CHECK(world.ends[0]->got == "x");
  CHECK(end.ended == runtime::Ended::by_peer);
}

TEST_CASE("a paused stream brings nothing until it is resumed, and loses nothing") {
  World world;
  End& end = world.connect(world.make_client());
  world.network.run();
  End& served = *world.ends[0];
  served.echo = false;
  served.pause_at_bytes = true;
  const std::string text(900'000, 'x');
  end.say(text);
  world.network.run();
  const std::size_t first = served.got.size();
  CHECK(first > 0);
  CHECK(first < text.size());
  for (int i = 0; i < 1000 && served.got.size() < text.size(); ++i) {
    const std::size_t before = served.got.size();
    served.stream->resume();
    CHECK(served.got.size() == before);  // not inside of resume()
    world.network.run();
  }
  CHECK(served.got == text);
}

TEST_CASE("handshakes are put off when there are many, and all are done") {
  World world;
  TlsLayer& layer = world.make_client();
  for (int i = 0; i < 100; ++i) world.connect(layer).say("hello");
  world.network.run();
  for (auto& end : world.clients) CHECK(end->got == "hello");
  CHECK(world.layer->stats().handshakes == 100);
  CHECK(world.layer->stats().put_off + layer.stats().put_off > 0);
}

TEST_CASE("a certificate and a key that do not belong together are refused") {
  const Pems other = make_pems("other");
  CHECK_FALSE(TlsConfig::server({server_pems().certificate, other.key, {}, false}));
  CHECK_FALSE(TlsConfig::server({"nonsense", other.key, {}, false}));
  CHECK_FALSE(TlsConfig::server({other.certificate, "nonsense", {}, false}));
  CHECK_FALSE(TlsConfig::server({other.certificate, other.key, {""}, false}));
  CHECK(TlsConfig::server({other.certificate, other.key, {}, false}));
}

TEST_CASE("a chain that is damaged behind its first certificate is refused, not cut off") {
  const auto& [certificate, key] = server_pems();
  const std::string next = make_pems("between").certificate;
  CHECK(TlsConfig::server({certificate + next + "# a comment\n", key, {}, false}));
  for (std::size_t cut = 30; cut + 1 < next.size(); ++cut) {
    CHECK_FALSE(TlsConfig::server({certificate + next.substr(0, cut), key, {}, false}));
  }
  std::string flipped = next;
  std::fill_n(flipped.begin() + 40, 20, 'A');
  CHECK_FALSE(TlsConfig::server({certificate + flipped + next, key, {}, false}));
}

// Hands its stream to an HTTP server once the handshake is done, as a listener does that learns
// the protocol by ALPN.
struct Secured final : runtime::StreamHandler {
  explicit Secured(HttpServer& given) : server(given) {}
  void on_connected() override { server.adopt(std::move(stream)); }
  void on_bytes(ByteView) override {}
  void on_ended(runtime::Ended) override { stream.reset(); }
  HttpServer& server;
  runtime::StreamPtr stream;
};

TEST_CASE("WebSocket over TLS, whatever the pieces") {
  for (std::uint64_t seed = 1; seed <= 10; ++seed) {
    World world({}, seed);
    world.network.set_splitting(seed % 2 == 0);
    SeededRandom random(seed);
    End served, client;
    served.echo = true;
    HttpServer http(*world.loop, [&](const Request& request, const Exchange& exchange) {
      CHECK(exchange.security()->version == "TLSv1.3");
      auto taken = exchange.take_over(answer_websocket(request, {"127.0.0.1", {}, {}}));
      served.stream = open_websocket(std::move(taken.stream), taken.unread.view(), served);
    });
    Secured secured(http);
    const auto secure = *world.loop->listen({"127.0.0.1", 0}, [&](auto accepted) {
      secured.stream = world.layer->adopt(accepted[0], secured);
    });
    TlsLayer& layer = world.make_client();
    client.stream =
        connect_websocket(*world.client_loop, random,
                          {{"localhost", "/mqtt", "mqtt", {}},
                           [&](runtime::StreamHandler& handler) {
                             return layer.connect(secure->address(), "server.test", handler);
                           },
                           {}},
                          client);
    std::string said;
    for (int i = 0; i < 10; ++i) {
      const std::string text(1 + random.below(i == 5 ? 300'000 : 3000), static_cast<char>('a' + i));
      client.say(text);
      said += text;
      for (auto steps = random.below(20); steps > 0; --steps) world.network.step();
    }
    world.network.run();
    CHECK(client.connected);
    CHECK(client.got == said);
    REQUIRE(served.stream);
    CHECK(served.stream->security() != nullptr);

    // What has not been taken is seen through both layers.
    served.echo = false;
    served.pause_at_bytes = true;
    client.say(std::string(2'000'000, 'x'));
    world.network.run();
    CHECK(client.stream->pending() > 1'000'000);
    for (int i = 0; i < 1000 && client.stream->pending() > 0; ++i) {
      served.stream->resume();
      world.network.run();
    }
    CHECK(client.stream->pending() == 0);
    client.stream.reset();
    for (int i = 0; i < 1000 && served.stream; ++i) {
      served.stream->resume();
      world.network.run();
    }
    CHECK(served.ended == runtime::Ended::goodbye);  // with a close frame
    CHECK(served.got.size() == said.size() + 2'000'000);
  }
}

}  // namespace
}  // namespace gnomon::net
