// Callers made of users and roles. Internal to the module.
#pragma once

#include <memory>

#include "iam/entities.h"
#include "iam/iam.h"
#include "iam/sessions.h"
#include "records/transaction.h"

namespace gnomon::iam {

// A policy that does not parse makes the transaction fail: it cannot be told what it would deny.
// `own`: the session that the user has for itself; or null.
[[nodiscard]] std::shared_ptr<Caller> caller_of_user(const Iam& iam, records::Transaction& records,
                                                     const Entity& user,
                                                     std::string_view access_key_id,
                                                     const Session* own = nullptr);
// Of a session of the role.
[[nodiscard]] std::shared_ptr<Caller> caller_of_role(const Iam& iam, records::Transaction& records,
                                                     const Entity& role, const Session& session);
// The caller, with the key and the end of a session.
[[nodiscard]] std::shared_ptr<Caller> with_session(std::shared_ptr<Caller> caller,
                                                   const Session& session);

}  // namespace gnomon::iam
