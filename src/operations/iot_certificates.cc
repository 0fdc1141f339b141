// CreateKeysAndCertificate, CreateCertificateFromCsr, RegisterCertificate,
// RegisterCertificateWithoutCA, DescribeCertificate, UpdateCertificate, DeleteCertificate,
// ListCertificates, ListCertificatesByCA; ListOutgoingCertificates, TransferCertificate and
// Accept-, Reject- and CancelCertificateTransfer, which there is no second account for.
#include <boost/json.hpp>

#include "operations/handlers.h"
#include "operations/iot_answer.h"
#include "registry/certificates.h"

namespace gnomon::operations {
namespace {

namespace bj = boost::json;
using registry::CertificateStatus;

CertificateStatus initial_status(const json::Value& input) {
  return flag(input, "setAsActive").value_or(false) ? CertificateStatus::active
                                                    : CertificateStatus::inactive;
}

// The model has checked that it is one.
CertificateStatus status_of(const json::Value& input, std::string_view name) {
  return registry::certificate_status(text(input, name)).value_or(CertificateStatus::inactive);
}

Outcome create_keys_and_certificate(Context& context, const json::Value& input,
                                    json::Value& output) {
  return answer_written(
      registry::create_keys_and_certificate(context.world.registry, initial_status(input)),
      [&](const registry::CreatedKeys& made) {
        bj::object keys{{"PublicKey", made.public_key}, {"PrivateKey", made.private_key}};
        output = {{"certificateArn", made.certificate.certificate_arn},
                  {"certificateId", made.certificate.certificate_id},
                  {"certificatePem", made.certificate.certificate_pem},
                  {"keyPair", std::move(keys)}};
      });
}

Outcome create_certificate_from_csr(Context& context, const json::Value& input,
                                    json::Value& output) {
  return answer_written(
      registry::create_certificate_from_csr(
          context.world.registry, text(input, "certificateSigningRequest"), initial_status(input)),
      [&](const registry::CreatedCertificate& made) {
        output = {{"certificateArn", made.certificate_arn},
                  {"certificateId", made.certificate_id},
                  {"certificatePem", made.certificate_pem}};
      });
}

auto tell_registered(json::Value& output) {
  return [&output](const registry::RegisteredCertificate& made) {
    output = {{"certificateArn", made.certificate_arn}, {"certificateId", made.certificate_id}};
  };
}

// setAsActive is the older way to say status ACTIVE.
Outcome register_certificate(Context& context, const json::Value& input, json::Value& output) {
  const bool has_status = member(input, "status") != nullptr;
  if (has_status && flag(input, "setAsActive").value_or(false) &&
      status_of(input, "status") != CertificateStatus::active) {
    return refuse("setAsActive contradicts the status " + text_copy(input, "status") + ".");
  }
  return answer_written(
      registry::register_certificate(
          context.world.registry,
          {.certificate_pem = text_copy(input, "certificatePem"),
           .ca_certificate_pem = text_copy(input, "caCertificatePem"),
           .status = has_status ? status_of(input, "status") : initial_status(input)}),
      tell_registered(output));
}

Outcome register_certificate_without_ca(Context& context, const json::Value& input,
                                        json::Value& output) {
  return answer_written(
      registry::register_certificate_without_ca(
          context.world.registry, text(input, "certificatePem"), status_of(input, "status")),
      tell_registered(output));
}

Outcome describe_certificate(Context& context, const json::Value& input, json::Value& output) {
  return answer_read(
      registry::describe_certificate(context.world.registry, text(input, "certificateId")),
      [&](const registry::CertificateDescription& certificate) {
        bj::object validity{{"notBefore", certificate.not_before.ms},
                            {"notAfter", certificate.not_after.ms}};
        bj::object description{
            {"certificateArn", certificate.certificate_arn},
            {"certificateId", certificate.certificate_id},
            {"caCertificateId", or_null(certificate.ca_certificate_id)},
            {"status", to_string(certificate.status)},
            {"certificatePem", certificate.certificate_pem},
            {"ownedBy", certificate.owned_by},
            {"creationDate", certificate.creation_date.ms},
            {"lastModifiedDate", certificate.last_modified_date.ms},
            {"customerVersion", certificate.customer_version},
            {"transferData", bj::object()},  // AWS tells it of those that never moved, too
            {"generationId", certificate.generation_id},
            {"validity", std::move(validity)},
            {"certificateMode", to_string(certificate.certificate_mode)}};
        set(output, "certificateDescription", std::move(description));
      });
}

Outcome update_certificate(Context& context, const json::Value& input, json::Value&) {
  return answer_written(registry::update_certificate(
      context.world.registry, text(input, "certificateId"), status_of(input, "newStatus")));
}

Outcome delete_certificate(Context& context, const json::Value& input, json::Value&) {
  return answer_written(registry::delete_certificate(context.world.registry,
                                                     text(input, "certificateId"),
                                                     flag(input, "forceDelete").value_or(false)));
}

bj::value to_json(const registry::CertificateEntry& entry) {
  return {{"certificateArn", entry.certificate_arn},
          {"certificateId", entry.certificate_id},
          {"status", to_string(entry.status)},
          {"certificateMode", to_string(entry.certificate_mode)},
          {"creationDate", entry.creation_date.ms}};
}

Outcome list_certificates(Context& context, const json::Value& input, json::Value& output) {
  return answer_page(registry::list_certificates(context.world.registry,
                                                 flag(input, "ascendingOrder").value_or(false),
                                                 page_of(input, by_marker)),
                     output, "certificates", by_marker, to_json);
}

Outcome list_certificates_by_ca(Context& context, const json::Value& input, json::Value& output) {
  return answer_page(registry::list_certificates_by_ca(
                         context.world.registry, text(input, "caCertificateId"),
                         flag(input, "ascendingOrder").value_or(false), page_of(input, by_marker)),
                     output, "certificates", by_marker, to_json);
}

// Nothing is on its way to another account, so there is one page.
Outcome list_outgoing_certificates(Context&, const json::Value& input, json::Value& output) {
  if (!text(input, "marker").empty()) return refuse("Invalid marker: there is no further page.");
  begin_list(output, "outgoingCertificates");
  return Done{};
}

Outcome refuse_transfer(Context& context, const json::Value& input, json::Value&) {
  return answer_read(
      registry::refuse_transfer(context.world.registry, text(input, "certificateId")),
      [](registry::Nothing) {});
}

constexpr Entry entries[] = {
    {"CreateKeysAndCertificate", create_keys_and_certificate},
    {"CreateCertificateFromCsr", create_certificate_from_csr},
    {"RegisterCertificate", register_certificate},
    {"RegisterCertificateWithoutCA", register_certificate_without_ca},
    {"DescribeCertificate", describe_certificate},
    {"UpdateCertificate", update_certificate},
    {"DeleteCertificate", delete_certificate},
    {"ListCertificates", list_certificates},
    {"ListCertificatesByCA", list_certificates_by_ca},
    {"ListOutgoingCertificates", list_outgoing_certificates},
    {"TransferCertificate", refuse_transfer},
    {"AcceptCertificateTransfer", refuse_transfer},
    {"RejectCertificateTransfer", refuse_transfer},
    {"CancelCertificateTransfer", refuse_transfer},
};

}  // namespace

Entries iot_certificates() { return entries; }

}  // namespace gnomon::operations
