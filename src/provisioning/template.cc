#include "provisioning/template.h"

#include <algorithm>
#include <array>
#include <utility>

#include <boost/json.hpp>

#include "base/limits.h"

namespace gnomon::provisioning {

namespace {

namespace bj = boost::json;

Error wrong(const std::string& where, std::string_view what) {
  return {Code::invalid, where + ": " + std::string(what)};
}

// The object at a place, or what is wrong there.
Result<const bj::object*> object_at(const bj::value& value, const std::string& where) {
  if (const bj::object* object = value.if_object()) return object;
  return wrong(where, "expected an object");
}

template <class Names>
std::string list_of(const Names& names) {
  std::string list;
  for (const std::string_view name : names) list.append(list.empty() ? "" : ", ").append(name);
  return list;
}

// Refuses a member that is not one of `names`: nothing of a template is left out of account.
template <class Names>
Result<void> check_members(const bj::object& object, const std::string& where, const Names& names) {
  for (const auto& [name, value] : object) {
    if (std::ranges::find(names, std::string_view(name)) == names.end())
      return wrong(where,
                   "unknown member " + std::string(name) + " (known: " + list_of(names) + ')');
  }
  return {};
}

constexpr std::array<std::string_view, 4> sections{"Parameters", "Mappings", "Resources",
                                                   "DeviceConfiguration"};
constexpr std::array<std::string_view, 5> thing_properties{
    "ThingName", "ThingTypeName", "AttributePayload", "ThingGroups", "BillingGroup"};
constexpr std::array<std::string_view, 5> certificate_properties{
    "CertificateId", "CertificatePem", "CertificateSigningRequest", "CACertificatePem", "Status"};
constexpr std::array<std::string_view, 2> policy_properties{"PolicyName", "PolicyDocument"};
constexpr std::array<std::string_view, 3> thing_overrides{"ThingTypeName", "AttributePayload",
                                                          "ThingGroups"};
constexpr std::array<std::string_view, 1> certificate_overrides{"Status"};

}  // namespace

// TemplateReader: one parse().
class TemplateReader {
 public:
  Result<Template> read(const bj::value& value) {
    const auto top = object_at(value, "The template");
    if (!top) return top.error();
    if (auto known = check_members(**top, "The template", sections); !known) return known.error();
    for (const auto step : {&TemplateReader::parameters, &TemplateReader::mappings,
                            &TemplateReader::resources, &TemplateReader::configuration}) {
      if (auto done = (this->*step)(**top); !done) return done.error();
    }
    return std::move(made_);
  }

 private:
  using Resource = Template::Resource;
  using Type = Template::Type;

  // Calls `visit(name, value, where)` for each member of a section; one that is not there has none.
  template <class F>
  Result<void> each(const bj::object& top, const std::string& section, F&& visit) {
    const bj::value* value = top.if_contains(section);
    if (value == nullptr) return {};
    return each_member(*value, section, std::forward<F>(visit));
  }
  template <class F>
  Result<void> each_member(const bj::value& value, const std::string& where, F&& visit) {
    const auto object = object_at(value, where);
    if (!object) return object.error();
    for (const auto& [name, member] : **object) {
      const std::string text(name);
      if (auto done = visit(text, member, where + '.' + text); !done) return done;
    }
    return {};
  }

  Result<void> parameters(const bj::object& top) {
    declared_ = {"AWS::Region", "AWS::AccountId"};
    return each(top, "Parameters", [&](const auto& name, const auto& value, const auto& where) {
      return parameter(name, value, where);
    });
  }
  Result<void> parameter(const std::string& name, const bj::value& value,
                         const std::string& where) {
    constexpr std::array<std::string_view, 2> members{"Type", "Default"};
    const auto object = object_at(value, where);
    if (!object) return object.error();
    if (auto known = check_members(**object, where, members); !known) return known;
    const bj::value* type = (*object)->if_contains("Type");
    if (type == nullptr || !type->is_string() || type->get_string() != "String")
      return wrong(where, "Type must be \"String\"");
    std::optional<std::string> fallback;
    if (const bj::value* given = (*object)->if_contains("Default")) {
      if (!given->is_string()) return wrong(where, "Default must be a text");
      fallback = std::string(given->get_string());
    }
    made_.parameters_.emplace(name, std::move(fallback));
    declared_.insert(name);
    return {};
  }

  Result<void> mappings(const bj::object& top) {
    return each(top, "Mappings", [&](const auto& name, const auto& first, const auto& at) {
      auto& mapping = made_.mappings_[name];
      return each_member(first, at, [&](const auto& key, const auto& second, const auto& below) {
        auto& entries = mapping[key];
        return each_member(second, below,
                           [&](const auto& last, const auto& value, const auto& where) {
                             return mapped(value, where, entries[last]);
                           });
      });
    });
  }
  // Functions are not for mappings (AWS IoT: the same).
  static Result<void> mapped(const bj::value& value, const std::string& where, Value& out) {
    if (value.is_string()) {
      out = std::string(value.get_string());
      return {};
    }
    if (!value.is_array()) return wrong(where, "expected a text or a list of texts");
    Texts texts;
    for (const bj::value& one : value.get_array()) {
      if (!one.is_string()) return wrong(where, "expected a text or a list of texts");
      texts.emplace_back(one.get_string());
    }
    out = std::move(texts);
    return {};
  }

  Result<void> resources(const bj::object& top) {
    auto done = each(top, "Resources", [&](const auto& name, const auto& value, const auto& where) {
      return resource(name, value, where);
    });
    if (!done) return done;
    const auto count = [&](Type type) {
      return std::ranges::count(made_.resources_, type, &Resource::type);
    };
    if (made_.resources_.empty()) return wrong("Resources", "there is none: nothing is to be made");
    if (count(Type::thing) > 1) return wrong("Resources", "there may be one AWS::IoT::Thing");
    if (count(Type::certificate) > 1)
      return wrong("Resources", "there may be one AWS::IoT::Certificate");
    if (count(Type::policy) > 0 && count(Type::certificate) == 0) {
      return wrong("Resources",
                   "an AWS::IoT::Policy needs an AWS::IoT::Certificate to be attached to");
    }
    return {};
  }
  Result<void> resource(const std::string& name, const bj::value& value, const std::string& where) {
    constexpr std::array<std::string_view, 3> members{"Type", "Properties", "OverrideSettings"};
    const auto object = object_at(value, where);
    if (!object) return object.error();
    if (auto known = check_members(**object, where, members); !known) return known;
    Resource made;
    made.logical_id = name;
    const bj::value* type = (*object)->if_contains("Type");
    if (type == nullptr || !type->is_string() || !set_type(type->get_string(), made.type)) {
      return wrong(where,
                   "Type must be AWS::IoT::Thing, AWS::IoT::Certificate or AWS::IoT::Policy");
    }
    const bj::value none = bj::object();
    const bj::value* given = (*object)->if_contains("Properties");
    if (auto done = properties(given == nullptr ? none : *given, where + ".Properties", made);
        !done)
      return done;
    if (const bj::value* settings = (*object)->if_contains("OverrideSettings")) {
      if (auto done = overrides(*settings, where + ".OverrideSettings", made); !done) return done;
    }
    made_.resources_.push_back(std::move(made));
    return {};
  }
  static bool set_type(std::string_view name, Type& type) {
    constexpr std::array<std::string_view, 3> names{"AWS::IoT::Thing", "AWS::IoT::Certificate",
                                                    "AWS::IoT::Policy"};
    const auto* at = std::ranges::find(names, name);
    type = static_cast<Type>(at - names.begin());
    return at != names.end();
  }

  Result<void> properties(const bj::value& value, const std::string& where, Resource& made) {
    const auto object = object_at(value, where);
    if (!object) return object.error();
    const auto known = made.type == Type::thing ? check_members(**object, where, thing_properties)
                       : made.type == Type::certificate
                           ? check_members(**object, where, certificate_properties)
                           : check_members(**object, where, policy_properties);
    if (!known) return known;
    for (const auto& [name, member] : **object) {
      const std::string below = where + '.' + std::string(name);
      if (name == "AttributePayload") {
        auto done = expressions(member, below, made.attributes.emplace());
        if (!done) return done;
        continue;
      }
      auto read = read_expression(member, declared_);
      if (!read) return wrong(below, read.error().message);
      made.properties.emplace(name, std::move(*read));
    }
    return check_properties(where, made);
  }
  static Result<void> check_properties(const std::string& where, const Resource& made) {
    const auto count = [&](std::initializer_list<const char*> names) {
      return std::ranges::count_if(
          names, [&](const char* name) { return made.properties.contains(name); });
    };
    if (made.type == Type::thing && count({"ThingName"}) == 0)
      return wrong(where, "ThingName is required");
    if (made.type == Type::policy && count({"PolicyName", "PolicyDocument"}) != 1)
      return wrong(where, "either PolicyName or PolicyDocument is required");
    if (made.type != Type::certificate) return {};
    if (count({"CertificateId", "CertificatePem", "CertificateSigningRequest"}) != 1) {
      return wrong(
          where, "one of CertificateId, CertificatePem and CertificateSigningRequest is required");
    }
    if (count({"CACertificatePem"}) == 1 && count({"CertificatePem"}) == 0)
      return wrong(where, "CACertificatePem goes with CertificatePem");
    return {};
  }

  Result<void> overrides(const bj::value& value, const std::string& where, Resource& made) {
    return each_member(value, where, [&](const auto& name, const auto& given, const auto& at) {
      const bool thing = made.type == Type::thing;
      const auto known = [&](const auto& names) {
        return std::ranges::find(names, std::string_view(name)) != names.end();
      };
      if (!(thing ? known(thing_overrides)
                  : made.type == Type::certificate && known(certificate_overrides)))
        return Result<void>(wrong(at, "there is no such setting for a resource of this type"));
      const bool merges = thing && name != "ThingTypeName";
      const auto setting = override_of(given, merges);
      if (!setting) {
        return Result<void>(wrong(at, merges ? "expected DO_NOTHING, REPLACE, MERGE or FAIL"
                                             : "expected DO_NOTHING, REPLACE or FAIL"));
      }
      made.overrides.emplace(name, *setting);
      return Result<void>();
    });
  }
  static std::optional<Override> override_of(const bj::value& value, bool merges) {
    constexpr std::array<std::string_view, 4> names{"DO_NOTHING", "REPLACE", "MERGE", "FAIL"};
    if (!value.is_string()) return std::nullopt;
    const auto* at = std::ranges::find(names, std::string_view(value.get_string()));
    const auto setting = static_cast<Override>(at - names.begin());
    if (at == names.end() || (setting == Override::merge && !merges)) return std::nullopt;
    return setting;
  }

  Result<void> configuration(const bj::object& top) {
    const bj::value* value = top.if_contains("DeviceConfiguration");
    if (value == nullptr) return {};
    return expressions(*value, "DeviceConfiguration", made_.device_configuration_);
  }
  Result<void> expressions(const bj::value& value, const std::string& where,
                           std::map<std::string, Expression>& out) {
    return each_member(value, where,
                       [&](const auto& name, const auto& member, const auto& at) -> Result<void> {
                         auto read = read_expression(member, declared_);
                         if (!read) return wrong(at, read.error().message);
                         out.emplace(name, std::move(*read));
                         return {};
                       });
  }

  Template made_;
  std::set<std::string> declared_;
};

Result<Template> Template::parse(std::string_view body) {
  const auto value = json::parse(body, {.bytes_max = limits::template_bytes_max});
  if (!value) return Error{value.error().code, "The template: " + value.error().message};
  return TemplateReader().read(*value);
}

bool Template::takes_certificate_id() const {
  return std::ranges::any_of(resources_, [](const Resource& resource) {
    const auto id = resource.properties.find("CertificateId");
    return id != resource.properties.end() && id->second.kind == Expression::Kind::ref &&
           id->second.text == certificate_id_parameter;
  });
}

}  // namespace gnomon::provisioning
