// Properties: what a client writes as the model says is what the handler sees, and what a handler
// gives is what a client reads, for every operation that is built.
#include <algorithm>
#include <array>
#include <set>

#include <boost/json.hpp>
#include <doctest/doctest.h>

#include "api/operation.h"
#include "api/render.h"
#include "api/request.h"
#include "api/values.h"

namespace gnomon::api {
namespace {

namespace bj = boost::json;

std::size_t characters(std::string_view text) {
  return static_cast<std::size_t>(
      std::ranges::count_if(text, [](char c) { return (c & 0xc0) != 0x80; }));
}

// Values for shapes. `valid`: such as the model allows; else any.
class Values {
 public:
  Values(Random& random, bool valid) : random_(random), valid_(valid) {}

  // Nothing: there is none to be had, or it would be too deep.
  std::optional<bj::value> make(const Shape& shape, int depth) {
    if (depth > 6) return std::nullopt;
    switch (shape.type) {
      case Type::structure:
        return structure(shape, depth);
      case Type::list: {
        bj::array list;
        for (std::size_t i = elements(shape); i > 0; --i) {
          auto one = make(*shape.element, depth + 1);
          if (!one) return std::nullopt;
          const bool nothing = one->is_object() && one->get_object().empty();
          if (!nothing) list.push_back(std::move(*one));  // a form cannot say that
        }
        if (valid_ && static_cast<double>(list.size()) < shape.least) return std::nullopt;
        return list;
      }
      case Type::map: {
        auto key = text(*shape.key);
        auto one = make(*shape.element, depth + 1);
        if (!key || !one) return std::nullopt;
        return bj::object{{*key, std::move(*one)}};
      }
      case Type::string: {
        auto made = text(shape);
        if (!made) return std::nullopt;
        return bj::value(bj::string(*made));
      }
      case Type::blob:
        return bj::value(bj::string(std::string_view("\0\xff<&", random_.below(5))));
      case Type::boolean:
        return random_.below(2) == 0;
      case Type::integer:
        return std::clamp(static_cast<std::int64_t>(random_.below(1000)), bound(shape.least, 0),
                          bound(shape.most, 1'000'000));
      case Type::number:
        return 0.5;
      case Type::timestamp:
        return static_cast<std::int64_t>(1'700'000'000'000 + random_.below(1'000'000) * 1000);
    }
    return std::nullopt;
  }

 private:
  static std::int64_t bound(double limit, std::int64_t otherwise) {
    return limit == no_least || limit == no_most ? otherwise : static_cast<std::int64_t>(limit);
  }

  std::size_t elements(const Shape& shape) {
    const auto least = static_cast<std::size_t>(bound(shape.least, 0));
    const auto most = static_cast<std::size_t>(bound(shape.most, 12));
    return std::clamp<std::size_t>(random_.below(13), least, std::max(least, most));
  }

  std::optional<bj::value> structure(const Shape& shape, int depth) {
    bj::object object;
    for (const Member& member : shape.members) {
      const bool status = member.location == Location::status;
      if (!member.required && (status || random_.below(3) == 0)) continue;
      if (member.json) {
        object.emplace(member.name, bj::array{bj::object{{"a", "ä"}}});
        continue;
      }
      auto value = make(*member.shape, depth + 1);
      if (value) {
        object.emplace(member.name, std::move(*value));
      } else if (member.required) {
        return std::nullopt;
      }
    }
    return object;
  }

  std::optional<std::string> text(const Shape& shape) {
    static const std::array<std::string, 15> texts = {
        "a",
        "Ab-1",
        "v1",
        "/",
        "/a/",
        "a:b_c",
        "a b&=+%/?#",
        "ä<>'\"",
        "{}",
        "arn:aws:iam::123456789012:role/abc",
        "arn:aws:iot:us-east-1:123456789012:cert/6fa4",
        "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef",
        "123456789012",
        "AKIAIOSFODNN7EXAMPLE",
        "true"};
    if (!shape.values.empty()) return std::string(shape.values[random_.below(shape.values.size())]);
    const std::size_t first = random_.below(texts.size());
    for (std::size_t i = 0; i < texts.size(); ++i) {
      std::string text = texts[(first + i) % texts.size()];
      if (!valid_) return text;
      while (static_cast<double>(characters(text)) < shape.least) text += 'a';
      if (static_cast<double>(characters(text)) > shape.most) continue;
      if (shape.pattern == nullptr || shape.pattern->fits(text)) return text;
    }
    return std::nullopt;
  }

  Random& random_;
  bool valid_;
};

TEST_CASE("property: what a client writes is what a handler sees") {
  SeededRandom random(7);
  std::set<std::string> tried;
  std::size_t built = 0;
  for (const Service* service : services()) {
    for (const Operation& operation : service->operations) {
      if (operation.row == nullptr) continue;
      ++built;
      for (int round = 0; round < 20; ++round) {
        bj::value input = bj::object();
        if (operation.input != nullptr) {
          auto made = Values(random, true).make(*operation.input, 0);
          if (!made) continue;
          input = std::move(*made);
        }
        // A payload that need not be there is empty.
        for (const Member& member :
             operation.input == nullptr ? std::span<const Member>() : operation.input->members) {
          auto& members = input.get_object();
          if (member.location != Location::payload) continue;
          if (member.required) {
            members[member.name] = "{}";
          } else if (!members.contains(member.name)) {
            members.emplace(member.name, "");
          }
        }
        const net::Request request = write_request(operation, input);
        CAPTURE(operation.name);
        CAPTURE(request.target);
        CAPTURE(request.body);
        Call call;
        bj::value read;
        auto error = find(*service, request, call);
        if (!error) error = bind(call, request, read);
        if (error) FAIL(error->message);
        CHECK(call.operation == &operation);
        CHECK(read == input);
        tried.insert(std::string(service->name) + ":" + std::string(operation.name));
      }
    }
  }
  CHECK(tried.size() == built);
}

// An element of XML: "<name>text</name>" or with others inside.
struct Element {
  std::string name, text;
  std::vector<Element> children;
  [[nodiscard]] const Element* child(std::string_view wanted) const {
    const auto found = std::ranges::find(children, wanted, &Element::name);
    return found == children.end() ? nullptr : &*found;
  }
};

std::string unescaped(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const std::size_t end = text[i] == '&' ? text.find(';', i) : i;
    const std::string_view name = text.substr(i, end - i);
    out += name.empty()      ? text[i]
           : name == "&lt"   ? '<'
           : name == "&gt"   ? '>'
           : name == "&quot" ? '"'
           : name == "&amp"  ? '&'
                             : '\r';
    i = end;
  }
  return out;
}

Element read_element(std::string_view& rest) {
  REQUIRE(rest.starts_with('<'));
  const std::size_t close = rest.find('>');
  const std::string_view tag = rest.substr(1, close - 1);
  Element element{std::string(tag.substr(0, tag.find(' '))), "", {}};
  rest.remove_prefix(close + 1);
  while (rest.starts_with('<') && !rest.starts_with("</")) {
    element.children.push_back(read_element(rest));
  }
  const std::string end = "</" + element.name + ">";
  const std::size_t at = rest.find("</");
  REQUIRE(at != std::string_view::npos);
  element.text = unescaped(rest.substr(0, at));
  rest.remove_prefix(at);
  REQUIRE(rest.starts_with(end));
  rest.remove_prefix(end.size());
  return element;
}

bj::value read_xml(const Shape& shape, const Element& element) {
  if (shape.type == Type::structure) {
    bj::object object;
    for (const Member& member : shape.members) {
      const Element* const child = element.child(member.wire);
      if (child != nullptr) object.emplace(member.name, read_xml(*member.shape, *child));
    }
    return object;
  }
  if (shape.type == Type::list) {
    bj::array list;
    for (const Element& one : element.children) list.push_back(read_xml(*shape.element, one));
    return list;
  }
  if (shape.type == Type::map) {
    bj::object map;
    for (const Element& one : element.children) {
      map.emplace(one.children.at(0).text, read_xml(*shape.element, one.children.at(1)));
    }
    return map;
  }
  bj::value out;
  CHECK(!from_text(shape, element.text, "", out));
  return out;
}

TEST_CASE("property: what a handler gives is what a client reads") {
  SeededRandom random(8);
  for (const Service* service : services()) {
    for (const Operation& operation : service->operations) {
      if (operation.row == nullptr || operation.output == nullptr) continue;
      CAPTURE(operation.name);
      for (int round = 0; round < 10; ++round) {
        const auto output = Values(random, false).make(*operation.output, 0);
        REQUIRE(output);
        const net::Response response = render(operation, *output, "id");
        CHECK(response.status == operation.status);
        CAPTURE(response.body);
        if (service->protocol == Protocol::query) {
          std::string_view rest = response.body;
          const Element root = read_element(rest);
          CHECK(rest.empty());
          CHECK(root.name == std::string(operation.name) + "Response");
          REQUIRE(root.children.size() == 2);
          CHECK(json::write(read_xml(*operation.output, root.children[0])) == json::write(*output));
          CHECK(root.children[1].child("RequestId")->text == "id");
          continue;
        }
        const bool payload = std::ranges::any_of(operation.output->members, [](const Member& one) {
          return one.location == Location::payload;
        });
        if (payload) continue;
        const auto parsed = json::parse(response.body);
        REQUIRE(parsed);
        bj::value read;
        CHECK(!from_json(*operation.output, *parsed, "", read));
        CHECK(json::write(read) == json::write(*output));
      }
    }
  }
}

}  // namespace
}  // namespace gnomon::api
