/*
 * SPDX-License-Identifier: GPL-2.0-only
 */
#include "fragment.h"

namespace splitsim
{

using namespace ns3;

NS_OBJECT_ENSURE_REGISTERED(FragmentHeader);
NS_OBJECT_ENSURE_REGISTERED(FragmentTag);

TypeId
FragmentHeader::GetTypeId()
{
    static TypeId tid = TypeId("splitsim::FragmentHeader")
                            .SetParent<Header>()
                            .SetGroupName("Splitsim")
                            .AddConstructor<FragmentHeader>();
    return tid;
}

TypeId
FragmentHeader::GetInstanceTypeId() const
{
    return GetTypeId();
}

uint32_t
FragmentHeader::GetRow() const
{
    const uint32_t firstToken = step == 0 ? 0 : promptTokens + step - 1;
    return firstToken * fragmentsPerToken + fragment;
}

uint32_t
FragmentHeader::GetSerializedSize() const
{
    return 24;
}

void
FragmentHeader::Serialize(Buffer::Iterator start) const
{
    start.WriteHtonU32(request);
    start.WriteHtonU16(step);
    start.WriteU8(attempt);
    start.WriteU8(split);
    start.WriteHtonU32(fragment);
    start.WriteHtonU32(stepFragments);
    start.WriteHtonU32(promptTokens);
    start.WriteHtonU16(fragmentsPerToken);
    start.WriteHtonU16(codec);
}

uint32_t
FragmentHeader::Deserialize(Buffer::Iterator start)
{
    request = start.ReadNtohU32();
    step = start.ReadNtohU16();
    attempt = start.ReadU8();
    split = start.ReadU8();
    fragment = start.ReadNtohU32();
    stepFragments = start.ReadNtohU32();
    promptTokens = start.ReadNtohU32();
    fragmentsPerToken = start.ReadNtohU16();
    codec = start.ReadNtohU16();
    return GetSerializedSize();
}

void
FragmentHeader::Print(std::ostream& os) const
{
    os << "request=" << request << " step=" << step << " attempt=" << +attempt
       << " fragment=" << fragment << "/" << stepFragments;
}

TypeId
FragmentTag::GetTypeId()
{
    static TypeId tid = TypeId("splitsim::FragmentTag")
                            .SetParent<Tag>()
                            .SetGroupName("Splitsim")
                            .AddConstructor<FragmentTag>();
    return tid;
}

TypeId
FragmentTag::GetInstanceTypeId() const
{
    return GetTypeId();
}

uint32_t
FragmentTag::GetSerializedSize() const
{
    return 13;
}

void
FragmentTag::Serialize(TagBuffer buffer) const
{
    buffer.WriteU32(request);
    buffer.WriteU32(index);
    buffer.WriteU8(downlink ? 1 : 0);
    buffer.WriteU32(ue);
}

void
FragmentTag::Deserialize(TagBuffer buffer)
{
    request = buffer.ReadU32();
    index = buffer.ReadU32();
    downlink = buffer.ReadU8() != 0;
    ue = buffer.ReadU32();
}

void
FragmentTag::Print(std::ostream& os) const
{
    os << "ue=" << ue << " request=" << request << " index=" << index
       << (downlink ? " down" : " up");
}

} // namespace splitsim
