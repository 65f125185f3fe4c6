"""Sends the tokens that are typed: second_reader.py HOST PORT USER PASSWORD [EVSE_ID]"""

import asyncio
import json
import sys
import uuid

import aiomqtt


async def main(host: str, port: str, user: str, password: str, *evse_id: str) -> None:
    async with aiomqtt.Client(host, int(port), username=user, password=password) as client:
        await client.subscribe("josev/cs", qos=1)
        for line in sys.stdin:
            request = {"id": str(uuid.uuid4()), "name": "authorization", "type": "request"}
            request["data"] = {"token_type": "ISO14443", "id_token": line.strip()}
            if evse_id:
                request["data"]["evse_id"] = evse_id[0]
            await client.publish("cs/josev", json.dumps(request), qos=1)
            async with asyncio.timeout(20):
                async for message in client.messages:
                    answer = json.loads(message.payload)
                    if (answer["id"], answer["type"]) == (request["id"], "response"):
                        break
            print(answer["data"]["status"], flush=True)


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
