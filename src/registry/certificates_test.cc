// Runs testdata/certificates.test, authorities.test.
#include "registry/certificates.h"

#include "crypto/request.h"
#include "registry/authorities.h"
#include "registry/case_commands.h"
#include "registry/principals.h"

namespace gnomon::registry {
namespace {

CertificateStatus status(const Command& c) {
  if (!c.has("status")) return CertificateStatus::inactive;
  const auto status = certificate_status(c.option("status"));
  REQUIRE(status.has_value());
  return *status;
}

// Gives the certificate of an answer the name that the case wants.
template <class T>
void name(World& world, const Command& c, const Written<T>& made, const std::string& id) {
  if (made && c.has("as")) world.texts[c.option("as")] = id;
  world.done(made);
}

void add_making_commands(World::Handlers& to) {
  to["create-keys"] = [](World& world, const Command& c) {
    const auto made = create_keys_and_certificate(world.registry, status(c));
    name(world, c, made, made ? made->value.certificate.certificate_id : "");
    if (!made) return;
    const auto& [arn, id, pem] = made->value.certificate;
    const auto certificate = crypto::Certificate::from_pem(pem);
    const auto key = crypto::PrivateKey::from_pem(made->value.private_key);
    REQUIRE((certificate.ok() && key.ok()));
    CHECK(made->value.private_key.starts_with("-----BEGIN RSA PRIVATE KEY-----\n"));
    CHECK(made->value.public_key == key->public_key().to_pem());
    CHECK(certificate->public_key() == key->public_key());
    CHECK(key->public_key().bits() == 2048);
    CHECK(certificate->id() == id);
    CHECK(arn.ends_with(":cert/" + id));
    CHECK(to_string(certificate->not_after()) == "2049-12-31T23:59:59.000Z");
    CHECK(certificate->issued_by(Fixture::devices().certificate));
    CHECK_FALSE(certificate->is_ca());
    world.say(certificate->subject().text);
  };
  to["create-from-csr"] = [](World& world, const Command& c) {
    std::string pem = "nonsense";
    if (!c.has("bad")) {
      const auto key = crypto::PrivateKey::generate_ec_p256();
      pem = *crypto::write_request(c.word(0), key);
    }
    const auto made = create_certificate_from_csr(world.registry, pem, status(c));
    name(world, c, made, made ? made->value.certificate_id : "");
    if (made) world.say(crypto::Certificate::from_pem(made->value.certificate_pem)->subject().text);
  };
  // Outside of the registry.
  to["make-ca"] = [](World& world, const Command& c) {
    const std::string subject = c.has("subject") ? c.option("subject") : c.word(0);
    const auto key = c.has("key") ? world.authorities.at(c.option("key")).key
                                  : crypto::PrivateKey::generate_ec_p256();
    world.authorities.insert_or_assign(c.word(0),
                                       Fixture::authority(subject, world.fixture.random, key));
  };
  to["make-certificate"] = [](World& world, const Command& c) {
    const auto key = crypto::PrivateKey::generate_ec_p256();
    const WallTime until = c.has("expired") ? WallTime{1'600'000'000'000} : crypto::far_end;
    const auto made =
        crypto::issue({crypto::Profile::device,
                       c.has("name") ? c.option("name") : "device",
                       {},
                       WallTime{1'577'836'800'000},
                       until},
                      key.public_key(), world.authorities.at(c.option("ca")), world.fixture.random);
    REQUIRE(made);
    world.certificates.insert_or_assign(c.word(0), *made);
    world.texts[c.word(0)] = made->id();
  };
}

std::string pem(const World& world, const std::string& name) {
  const auto authority = world.authorities.find(name);
  if (authority != world.authorities.end()) return authority->second.certificate.to_pem();
  const auto certificate = world.certificates.find(name);
  return certificate == world.certificates.end() ? "" : certificate->second.to_pem();
}

std::string text_of(const CertificateEntry& entry) {
  CHECK(entry.certificate_arn.ends_with(":cert/" + entry.certificate_id));
  CHECK(entry.creation_date.ms != 0);
  return entry.certificate_id + ' ' + std::string(to_string(entry.status));
}

void add_certificate_commands(World::Handlers& to) {
  to["register"] = [](World& world, const Command& c) {
    world.done(register_certificate(
        world.registry, {pem(world, c.word(0)), pem(world, c.option("ca")), status(c)}));
  };
  to["register-no-ca"] = [](World& world, const Command& c) {
    world.done(register_certificate_without_ca(world.registry, pem(world, c.word(0)), status(c)));
  };
  to["arrive"] = [](World& world, const Command& c) {
    const auto& certificate = world.certificates.at(c.word(0));
    if (c.has("ca")) {
      world.done(register_arrival(world.registry, certificate, c.option("ca")));
      return;
    }
    const auto issuers = issuers_of(world.registry, certificate);
    if (!world.done(issuers)) return;
    for (const auto& issuer : *issuers) world.say("issuer " + world.shorten(issuer.certificate_id));
    if (issuers->empty()) world.say("nobody has signed it");
  };
  to["describe-certificate"] = [](World& world, const Command& c) {
    const auto certificate = describe_certificate(world.registry, c.word(0));
    if (!world.done(certificate)) return;
    CHECK(crypto::Certificate::from_pem(certificate->certificate_pem)->id() ==
          certificate->certificate_id);
    CHECK(certificate->owned_by == "123456789012");
    CHECK(certificate->generation_id.size() == 36);
    CHECK(certificate->not_before < certificate->not_after);
    const auto known = status_of(world.registry, c.word(0));
    if (!world.done(known)) return;
    CHECK(*known == certificate->status);
    const std::string ca = certificate->ca_certificate_id;
    world.say(world.shorten(certificate->certificate_id) + ' ' +
              std::string(to_string(certificate->status)) + ' ' +
              std::string(to_string(certificate->certificate_mode)) +
              " version=" + std::to_string(certificate->customer_version) +
              " ca=" + (ca.empty() ? "-" : world.shorten(ca)));
  };
  to["update-certificate"] = [](World& world, const Command& c) {
    world.done(update_certificate(world.registry, c.word(0), *certificate_status(c.word(1))));
  };
  to["delete-certificate"] = [](World& world, const Command& c) {
    world.done(delete_certificate(world.registry, c.word(0), c.has("force")));
  };
  to["list-certificates"] = [](World& world, const Command& c) {
    world.list(list_certificates(world.registry, c.has("ascending"), world.page(c)), text_of);
  };
  to["list-by-ca"] = [](World& world, const Command& c) {
    world.list(
        list_certificates_by_ca(world.registry, c.word(0), c.has("ascending"), world.page(c)),
        text_of);
  };
  to["transfer"] = [](World& world, const Command& c) {
    world.done(refuse_transfer(world.registry, c.word(0)));
  };
}

// The verification certificate that a case asks for: good, or wrong in one way.
std::string verification(World& world, const Command& c, const std::string& code) {
  const std::string how = c.has("verify") ? c.option("verify") : "good";
  if (how == "none") return "";
  const std::string name = how == "code" ? std::string(64, '0') : code;
  const auto& signer = world.authorities.at(how == "key" ? c.option("key") : c.word(0));
  const auto made = crypto::issue(
      {crypto::Profile::device, name, {}, WallTime{1'577'836'800'000}, crypto::far_end},
      crypto::PrivateKey::generate_ec_p256().public_key(), signer, world.fixture.random);
  REQUIRE(made);
  return made->to_pem();
}

std::optional<RegistrationConfig> config(const Command& c) {
  if (!c.has("template") && !c.has("body")) return std::nullopt;
  return RegistrationConfig{c.option("body"), c.option("role"), c.option("template")};
}

void add_authority_commands(World::Handlers& to) {
  to["register-ca"] = [](World& world, const Command& c) {
    const auto code = get_registration_code(world.registry);
    if (!code) return world.fail(code.error());
    RegisterCaCertificate request;
    request.ca_certificate = pem(world, c.word(0));
    request.verification_certificate = verification(world, c, code->value);
    request.set_as_active = c.has("active");
    request.allow_auto_registration = c.has("auto");
    request.registration_config = config(c);
    request.tags = c.attributes;
    if (c.has("sni")) request.certificate_mode = CertificateMode::sni_only;
    const auto made = register_ca_certificate(world.registry, request);
    if (made) world.texts[c.word(0)] = made->value.certificate_id;
    world.done(made);
  };
  to["describe-ca"] = [](World& world, const Command& c) {
    const auto ca = describe_ca_certificate(world.registry, c.word(0));
    if (!world.done(ca)) return;
    CHECK(crypto::Certificate::from_pem(ca->certificate_pem)->id() == ca->certificate_id);
    CHECK(ca->certificate_arn.ends_with(":cacert/" + ca->certificate_id));
    const auto config = ca->registration_config.value_or(RegistrationConfig{});
    world.say(world.shorten(ca->certificate_id) + (ca->active ? " ACTIVE " : " INACTIVE ") +
              (ca->auto_registration ? "ENABLE " : "DISABLE ") +
              std::string(to_string(ca->certificate_mode)) +
              " version=" + std::to_string(ca->customer_version) +
              (config.template_name.empty() ? "" : " template=" + config.template_name) +
              (config.template_body.empty() ? "" : " body=" + config.template_body) +
              (config.role_arn.empty() ? "" : " role=" + config.role_arn));
  };
  to["update-ca"] = [](World& world, const Command& c) {
    UpdateCaCertificate request{c.word(0), std::nullopt, std::nullopt, config(c),
                                c.has("remove-auto")};
    if (c.has("active")) request.active = c.option("active") != "false";
    if (c.has("auto")) request.auto_registration = c.option("auto") != "false";
    world.done(update_ca_certificate(world.registry, request));
  };
  to["delete-ca"] = [](World& world, const Command& c) {
    world.done(delete_ca_certificate(world.registry, c.word(0)));
  };
  to["list-cas"] = [](World& world, const Command& c) {
    world.list(list_ca_certificates(world.registry, c.option("template"), c.has("ascending"),
                                    world.page(c)),
               [](const CaCertificateEntry& ca) {
                 return ca.certificate_id + (ca.active ? " ACTIVE" : " INACTIVE");
               });
  };
  to["code"] = [](World& world, const Command& c) {
    const auto code = get_registration_code(world.registry);
    if (!world.done(code)) return;
    CHECK(code->value.size() == 64);
    std::string& known = world.texts["code" + c.word(0)];
    if (known.empty()) known = code->value;
    world.say(world.shorten(code->value));
  };
  to["delete-code"] = [](World& world, const Command&) {
    world.done(delete_registration_code(world.registry));
  };
}

std::optional<ThingPrincipalType> link_type(const Command& c) {
  if (!c.has("type")) return std::nullopt;
  return c.option("type") == "exclusive" ? ThingPrincipalType::exclusive_thing
                                         : ThingPrincipalType::non_exclusive_thing;
}

void add_principal_commands(World::Handlers& to) {
  to["attach"] = [](World& world, const Command& c) {
    world.done(attach_thing_principal(
        world.registry,
        {c.word(0), c.word(1), link_type(c).value_or(ThingPrincipalType::non_exclusive_thing)}));
  };
  to["detach"] = [](World& world, const Command& c) {
    world.done(detach_thing_principal(world.registry, c.word(0), c.word(1)));
  };
  to["list-principals"] = [](World& world, const Command& c) {
    world.list(
        list_thing_principals(world.registry, c.word(0), link_type(c), world.page(c)),
        [](const ThingPrincipalObject& object) {
          return object.principal + ' ' + std::string(to_string(object.thing_principal_type));
        },
        true);
  };
  to["list-things-of"] = [](World& world, const Command& c) {
    world.list(list_principal_things(world.registry, c.word(0), link_type(c), world.page(c)),
               [](const PrincipalThingObject& object) {
                 return object.thing_name + ' ' +
                        std::string(to_string(object.thing_principal_type));
               });
  };
  to["is-attached"] = [](World& world, const Command& c) {
    const auto attached = is_attached(world.registry, c.word(0), c.word(1));
    if (world.done(attached)) world.say(*attached ? "yes" : "no");
  };
}

}  // namespace

World::Handlers certificate_commands() {
  World::Handlers handlers = thing_commands();
  add_making_commands(handlers);
  add_certificate_commands(handlers);
  add_authority_commands(handlers);
  add_principal_commands(handlers);
  return handlers;
}

TEST_CASE("certificates and their things") {
  run_cases("testdata/certificates.test", policy_commands());
}
TEST_CASE("CA certificates") { run_cases("testdata/authorities.test", certificate_commands()); }

}  // namespace gnomon::registry
