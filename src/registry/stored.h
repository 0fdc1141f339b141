// The records of the registry, as they are kept (records/value.h). Names are those of their keys.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "registry/certificates.h"
#include "registry/things.h"

namespace gnomon::registry::stored {

// Ids are 16 random bytes (uuid() writes them), those of certificates 64 digits of hexadecimal.

struct Thing {
  std::string id;
  std::uint64_t version = 1;
  std::string type;           // empty: none
  std::string billing_group;  // empty: none; also if the group of this name has another id
  std::string billing_group_id;
  std::uint64_t principals = 0;  // attached
  Attributes attributes;
  static void fields(auto& r, auto& archive) {
    archive(r.id, r.version, r.type, r.billing_group, r.billing_group_id, r.principals,
            r.attributes);
  }
};

struct ThingType {
  std::string id;
  std::string description;
  std::vector<std::string> searchable;
  WallTime created, deprecated;  // deprecated 0: it is not
  static void fields(auto& r, auto& archive) {
    archive(r.id, r.description, r.searchable, r.created, r.deprecated);
  }
};

// A group by name and id: of another incarnation if that name has another id today.
struct GroupRef {
  std::string name, id;
  static void fields(auto& r, auto& archive) { archive(r.name, r.id); }
};

struct Group {
  std::string id;
  std::uint64_t version = 1;
  std::vector<GroupRef> ancestors;  // from the root to the parent; they outlive it
  std::uint64_t children = 0;
  std::string description;
  Attributes attributes;
  WallTime created;
  static void fields(auto& r, auto& archive) {
    archive(r.id, r.version, r.ancestors, r.children, r.description, r.attributes, r.created);
  }
};

struct Membership {
  GroupRef group;
  std::string root_id;  // of the hierarchy that the group is in
  static void fields(auto& r, auto& archive) { archive(r.group, r.root_id); }
};
struct Memberships {
  std::vector<Membership> groups;  // also of groups that are gone
  static void fields(auto& r, auto& archive) { archive(r.groups); }
};

// The dynamic groups of the account, whose things are those that a query matches. In one record:
// whoever searches needs them all.
struct DynamicGroup {
  std::string query;
  WallTime created;
  static void fields(auto& r, auto& archive) { archive(r.query, r.created); }
};
struct DynamicGroups {
  std::map<std::string, DynamicGroup> groups;  // by name
  static void fields(auto& r, auto& archive) { archive(r.groups); }
};

struct BillingGroup {
  std::string id;
  std::uint64_t version = 1;
  std::string description;
  WallTime created;
  static void fields(auto& r, auto& archive) { archive(r.id, r.version, r.description, r.created); }
};

// A thing and one of its principals.
struct Link {
  bool exclusive = false;
  static void fields(auto& r, auto& archive) { archive(r.exclusive); }
};

// What is attached to a principal, or to a group. There is none with nothing in it.
struct Attachment {
  std::vector<std::string> policies;  // sorted
  std::uint64_t things = 0;           // of a principal
  bool exclusive = false;             // the only one of them
  static void fields(auto& r, auto& archive) { archive(r.policies, r.things, r.exclusive); }
  [[nodiscard]] bool empty() const { return policies.empty() && things == 0; }
};

struct Certificate {
  CertificateStatus status = CertificateStatus::inactive;
  CertificateMode mode = CertificateMode::standard;
  std::string authority;  // id of the CA that has signed it; empty: none that was registered then
  WallTime created, modified, not_before, not_after;
  std::uint64_t version = 1;
  std::string generation_id;  // of this version
  std::string der;
  static void fields(auto& r, auto& archive) {
    archive(r.status, r.mode, r.authority, r.created, r.modified, r.not_before, r.not_after,
            r.version, r.generation_id, r.der);
  }
};

struct Authority {
  bool active = false, auto_registration = false;
  CertificateMode mode = CertificateMode::standard;
  WallTime created, modified;
  std::uint64_t version = 1;
  std::string generation_id;  // of this version
  std::string template_body, role_arn, template_name;
  std::string der;
  static void fields(auto& r, auto& archive) {
    archive(r.active, r.auto_registration, r.mode, r.created, r.modified, r.version,
            r.generation_id, r.template_body, r.role_arn, r.template_name, r.der);
  }
};

struct RegistrationCode {
  std::string code;
  static void fields(auto& r, auto& archive) { archive(r.code); }
};

// Whose the folder is.
struct Stamp {
  std::string account, region;
  static void fields(auto& r, auto& archive) { archive(r.account, r.region); }
};

struct Policy {
  struct Version {
    std::uint64_t number = 0;
    WallTime created;
    static void fields(auto& r, auto& archive) { archive(r.number, r.created); }
  };
  std::vector<Version> versions;  // ascending
  std::uint64_t default_version = 1;
  std::uint64_t next_version = 2;  // a number is never used twice
  WallTime created, modified;
  std::string generation_id;
  // Somebody is about to delete it, if nobody attaches it before; else it means nothing.
  bool closing = false;
  static void fields(auto& r, auto& archive) {
    archive(r.versions, r.default_version, r.next_version, r.created, r.modified, r.generation_id,
            r.closing);
  }
};
struct PolicyVersion {
  std::string document, generation_id;
  static void fields(auto& r, auto& archive) { archive(r.document, r.generation_id); }
};
// A target of a policy; a group by its id, so its name is kept here.
struct PolicyTarget {
  std::string group;  // empty: it is none
  static void fields(auto& r, auto& archive) { archive(r.group); }
};

}  // namespace gnomon::registry::stored
