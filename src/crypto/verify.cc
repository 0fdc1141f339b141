// verify() of certificate.h.
#include <openssl/x509_vfy.h>
#include <openssl/x509v3.h>

#include "base/limits.h"
#include "crypto/certificate.h"
#include "crypto/issue.h"
#include "crypto/native.h"

namespace gnomon::crypto {

namespace {

struct FreeVerifying {
  void operator()(STACK_OF(X509) * stack) const { sk_X509_free(stack); }
  void operator()(X509_STORE_CTX* context) const { X509_STORE_CTX_free(context); }
};
using Stack = std::unique_ptr<STACK_OF(X509), FreeVerifying>;

// Borrows the certificates.
Stack stack_of(std::span<const Certificate> certificates) {
  Stack stack(made(sk_X509_new_null()));
  for (const Certificate& certificate : certificates)
    done(sk_X509_push(stack.get(), Native::of(certificate)));
  return stack;
}

Error refusal(X509_STORE_CTX* context) {
  std::string message = X509_verify_cert_error_string(X509_STORE_CTX_get_error(context));
  X509* at = X509_STORE_CTX_get_current_cert(context);
  const auto out = writer();
  if (at != nullptr && X509_NAME_print_ex(out.get(), X509_get_subject_name(at), 0,
                                          XN_FLAG_RFC2253 & ~ASN1_STRFLGS_ESC_MSB) >= 0) {
    message += " (" + written(out.get()) + ')';
  }
  return {Code::denied, message};
}

// Also false for a host that is no name at all.
bool set_host(X509_VERIFY_PARAM* parameters, const std::string& host) {
  if (is_address(host)) return X509_VERIFY_PARAM_set1_ip_asc(parameters, host.c_str()) == 1;
  return X509_VERIFY_PARAM_set1_host(parameters, host.data(), host.size()) == 1;
}

}  // namespace

Result<void> verify(const Certificate& leaf, const Verification& verification) {
  const ErrorsGone gone;
  const Stack between = stack_of(verification.between), trusted = stack_of(verification.trusted);
  const std::unique_ptr<X509_STORE_CTX, FreeVerifying> context(made(X509_STORE_CTX_new()));
  done(X509_STORE_CTX_init(context.get(), nullptr, Native::of(leaf), between.get()));
  X509_STORE_CTX_set0_trusted_stack(context.get(), trusted.get());
  X509_VERIFY_PARAM* parameters = X509_STORE_CTX_get0_param(context.get());
  // A CA that is trusted need not be a root.
  done(X509_VERIFY_PARAM_set_flags(parameters, X509_V_FLAG_PARTIAL_CHAIN));
  X509_VERIFY_PARAM_set_depth(parameters, static_cast<int>(limits::certificate_chain_max));
  X509_VERIFY_PARAM_set_auth_level(parameters, 2);  // 112 bits: RSA from 2,048, no SHA-1
  X509_VERIFY_PARAM_set_time(parameters, verification.now.ms / 1000);
  if (verification.purpose != Purpose::any) {
    done(X509_VERIFY_PARAM_set_purpose(parameters, verification.purpose == Purpose::tls_client
                                                       ? X509_PURPOSE_SSL_CLIENT
                                                       : X509_PURPOSE_SSL_SERVER));
  }
  if (!verification.host.empty() && !set_host(parameters, verification.host))
    return Error{Code::denied, "\"" + verification.host + "\" is not a name of a host"};
  if (X509_verify_cert(context.get()) == 1) return {};
  return refusal(context.get());
}

}  // namespace gnomon::crypto
