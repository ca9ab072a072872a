// Generated from openapi.yaml by `npm run sdk`.

export interface paths {
    "/health": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Whether the process lives
         * @description For liveness probes: it answers as long as the process can answer at all.
         */
        get: operations["getHealth"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/metrics": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Figures for Prometheus
         * @description In Prometheus' text format. What each of them means is said in their `HELP` lines.
         */
        get: operations["getMetrics"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/ready": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Whether traffic may come here
         * @description For readiness probes and load balancers: 503 while the broker is away, the process is draining or cannot keep up.
         */
        get: operations["getReadiness"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * What this server is
         * @description Name, version and endpoints. The same address with an `Upgrade: websocket` header opens a socket.
         */
        get: operations["getServerInfo"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/message/room/{roomId}/broadcast": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Say something to everyone in a room
         * @description Every socket in the room gets a frame whose `type` is `eventType`. It is also in the room's log, for whoever comes back. A room that nobody ever joined is a 404.
         */
        post: operations["broadcastToRoom"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/rooms": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * List the rooms
         * @description From the oldest to the newest, a page at a time. Without API keys this is open to anyone: see the security notes.
         */
        get: operations["listRooms"];
        put?: never;
        /**
         * Create a payment's room
         * @description From then on events for it are kept, though nobody has joined yet. Without a `roomId`, or without a body, it gets one of 128 random bits, which nobody can guess. Where joining needs a token, the answer has one for each of the two devices.
         */
        post: operations["createRoom"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/rooms/{roomId}/events": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Read a room's events, or follow them
         * @description The log after a position. With `Accept: text/event-stream` the same as a live stream: every message is a frame as a socket would get it, `id:` is `epoch:seq`, and `Last-Event-ID` resumes. A stream opens a room that is not there, as a join does.
         */
        get: operations["listRoomEvents"];
        put?: never;
        /**
         * Publish a payment event
         * @description Any of the seven payment events. A result that comes with an API key is `verified` and outranks what a phone claims. An `id` that was sent before, over a socket or here, is not relayed again: so a page that is being closed can send its last event both ways.
         */
        post: operations["publishRoomEvent"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/rooms/{roomId}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Look into a room
         * @description Where the payment stands, who is in the room, and how far its log goes.
         */
        get: operations["getRoom"];
        put?: never;
        post?: never;
        /**
         * Close a room
         * @description Everyone in it gets `ROOM_CLOSED`, and its log is gone. Late events are told `ROOM_CLOSED`; creating it again is possible.
         */
        delete: operations["closeRoom"];
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/rooms/{roomId}/tokens": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Mint a room token
         * @description For one role in one room that is there, and for one device, where one is named. 404 too on a server that asks for no tokens.
         */
        post: operations["createRoomToken"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/server/status": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * What the server is doing
         * @description Uptime, open sockets and occupied rooms of the node that answers.
         */
        get: operations["getServerStatus"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
}
export type webhooks = Record<string, never>;
export interface components {
    schemas: {
        /** @description Every error of the API has this shape. */
        ErrorResponse: {
            /** @enum {boolean} */
            success: false;
            /**
             * @description What went wrong, as a sentence.
             * @example There is no such room.
             */
            error: string;
            /**
             * @description What went wrong, for programs.
             * @example ROOM_NOT_FOUND
             * @enum {string}
             */
            code: "INVALID_JSON" | "INVALID_FRAME" | "INVALID_REQUEST" | "UNKNOWN_EVENT" | "FORBIDDEN_KEY" | "SENSITIVE_DATA" | "TOO_DEEP" | "UNAUTHORIZED" | "INVALID_TOKEN" | "TOKEN_EXPIRED" | "FORBIDDEN" | "NOT_FOUND" | "ROOM_NOT_FOUND" | "PAYLOAD_TOO_LARGE" | "URI_TOO_LONG" | "UNSUPPORTED_MEDIA_TYPE" | "ROOM_EXISTS" | "ROOM_CLOSED" | "NOT_JOINED" | "ID_CONFLICT" | "ROOM_FULL" | "TOO_MANY_ROOMS" | "RATE_LIMITED" | "UNAVAILABLE" | "INTERNAL";
            /** @description Each broken rule. */
            details?: {
                /** @example message */
                key: string;
                /** @example is required */
                rule: string;
            }[];
            /**
             * @description Names this request in the server's log.
             * @example Zm9vYmFyYmF6
             */
            requestId: string;
            /**
             * @description Milliseconds since the epoch.
             * @example 1705312200000
             */
            timestamp: number;
        };
        ServerInfo: {
            /** @example WebSocket Payment Server */
            message: string;
            /** @example 1.0.0 */
            version: string;
            /**
             * @example {
             *       "health": "GET /health"
             *     }
             */
            endpoints: {
                [key: string]: string;
            };
            /**
             * @description Where the documentation is, if it is served.
             * @example /docs
             */
            docs: string | null;
            /**
             * @description Milliseconds since the epoch.
             * @example 1705312200000
             */
            timestamp: number;
        };
        Health: {
            /** @enum {string} */
            status: "ok";
            /**
             * @description Milliseconds since the epoch.
             * @example 1705312200000
             */
            timestamp: number;
        };
        Readiness: {
            /** @enum {string} */
            status: "ready" | "not ready";
            checks: {
                /**
                 * @description Whether rooms can be read and written.
                 * @enum {string}
                 */
                broker: "up" | "down";
                /** @description The process is on its way out. */
                draining: boolean;
                /**
                 * @description Whether the process keeps up with its work.
                 * @enum {string}
                 */
                eventLoop: "ok" | "delayed";
            };
            /**
             * @description Why rooms cannot be read and written.
             * @example it refuses writes: out of memory (maxmemory)
             */
            reason?: string;
        };
        ServerStatus: {
            /**
             * @example running
             * @enum {string}
             */
            status: "running" | "draining";
            /**
             * @description Milliseconds since the start.
             * @example 3600000
             */
            uptime: number;
            /**
             * @description Sockets and event streams that are open now.
             * @example 5
             */
            totalConnections: number;
            /**
             * @description Rooms with somebody in them now.
             * @example 2
             */
            totalRooms: number;
            /**
             * @description Milliseconds since the epoch.
             * @example 1705312200000
             */
            timestamp: number;
            /** @example 1.0.0 */
            version: string;
        };
        ServerStatusResponse: {
            /** @enum {boolean} */
            success: true;
            data: components["schemas"]["ServerStatus"];
            /**
             * @description Milliseconds since the epoch.
             * @example 1705312200000
             */
            timestamp: number;
        };
        BroadcastRequest: {
            /**
             * @description The `type` of the frame that the clients get: 1–64 characters of `A-Z a-z 0-9 _ . : -`, and no name that the protocol itself uses.
             * @example PAYMENT_UPDATE
             */
            eventType: string;
            /** @example Pagamento processado com sucesso! */
            message: string;
            /** @example seguro_123456 */
            idSeguro: string;
        };
        BroadcastResult: {
            /**
             * @description The payment's room: 1–128 characters of `A-Z a-z 0-9 . _ : ~ -`.
             * @example payment_123
             */
            roomId: string;
            /** @example PAYMENT_UPDATE */
            eventType: string;
            /** @example Pagamento processado com sucesso! */
            message: string;
            /** @example seguro_123456 */
            idSeguro: string;
            /**
             * @description Sockets that it was handed to. 0: the event waits in the log.
             * @example 2
             */
            sentToClients: number;
            /**
             * @description Milliseconds since the epoch.
             * @example 1705312200000
             */
            timestamp: number;
        };
        BroadcastResultResponse: {
            /** @enum {boolean} */
            success: true;
            data: components["schemas"]["BroadcastResult"];
            /**
             * @description Milliseconds since the epoch.
             * @example 1705312200000
             */
            timestamp: number;
        };
        PaymentState: {
            /** @description The last progress event; null before the first one. */
            step: ("ENTERED_SUMMARY" | "CLICKED_PROCEED" | "PAYMENT_METHOD_CHANGED" | "DATA_FILLED" | "CLICKED_PAY") | null;
            method?: string;
            fields?: string[];
            /**
             * PaymentStatus
             * @enum {string}
             */
            status: "pending" | "succeeded" | "failed";
            /** PaymentOutcome */
            outcome?: {
                transactionId?: string;
                amount?: number;
                currency?: string;
                error?: string;
                code?: string;
                /** @description true: a backend said so with an API key; false: a phone claims it. */
                verified: boolean;
            };
            /** @description Milliseconds since the epoch; the room's creation until something happens. */
            updatedAt: number;
        };
        RoomMember: {
            /** @example client_1705312205000_1f2e3d4c5b6a */
            clientId: string;
            /**
             * @description A device's own name for itself: 1–128 characters, no control characters.
             * @example device_1
             */
            deviceId: string;
            /**
             * Role
             * @description device1 made the link and watches; device2 opened it and pays.
             * @enum {string}
             */
            role: "device1" | "device2";
        };
        CreateRoomRequest: {
            /**
             * @description The payment's room: 1–128 characters of `A-Z a-z 0-9 . _ : ~ -`.
             * @example payment_123
             */
            roomId?: string;
            /**
             * @description The room ends then, occupied or not. Without it the room ends when it was empty for the retention time.
             * @example 1800
             */
            ttlSeconds?: number;
        };
        CreatedRoom: {
            /**
             * @description The payment's room: 1–128 characters of `A-Z a-z 0-9 . _ : ~ -`.
             * @example payment_123
             */
            roomId: string;
            /**
             * @description Milliseconds since the epoch.
             * @example 1705312200000
             */
            expiresAt: number;
            /** @description Where joining needs a token: one for each device, with the life that the server's settings say. */
            tokens?: {
                /**
                 * @description A room token, for `token` in JOIN_ROOM or as a bearer token.
                 * @example eyJhbGciOiJIUzI1NiIsInR5cCI6InJvb20rand0In0.eyJyb29tIjoicGF5bWVudF8xMjMifQ.c2lnbmF0dXJl
                 */
                device1: string;
                /**
                 * @description A room token, for `token` in JOIN_ROOM or as a bearer token.
                 * @example eyJhbGciOiJIUzI1NiIsInR5cCI6InJvb20rand0In0.eyJyb29tIjoicGF5bWVudF8xMjMifQ.c2lnbmF0dXJl
                 */
                device2: string;
            };
        };
        CreatedRoomResponse: {
            /** @enum {boolean} */
            success: true;
            data: components["schemas"]["CreatedRoom"];
            /**
             * @description Milliseconds since the epoch.
             * @example 1705312200000
             */
            timestamp: number;
        };
        /** @description For whom a token is: a role, and the only device that may use it, where one is named. */
        CreateTokenRequest: {
            /**
             * Role
             * @description device1 made the link and watches; device2 opened it and pays.
             * @enum {string}
             */
            role: "device1" | "device2";
            /**
             * @description A device's own name for itself: 1–128 characters, no control characters.
             * @example device_1
             */
            deviceId?: string;
            /**
             * @description How long it may be used; by default as the server's settings say.
             * @example 900
             */
            ttlSeconds?: number;
        };
        RoomToken: {
            /**
             * @description A room token, for `token` in JOIN_ROOM or as a bearer token.
             * @example eyJhbGciOiJIUzI1NiIsInR5cCI6InJvb20rand0In0.eyJyb29tIjoicGF5bWVudF8xMjMifQ.c2lnbmF0dXJl
             */
            token: string;
            /**
             * @description Milliseconds since the epoch.
             * @example 1705312200000
             */
            expiresAt: number;
        };
        RoomTokenResponse: {
            /** @enum {boolean} */
            success: true;
            data: components["schemas"]["RoomToken"];
            /**
             * @description Milliseconds since the epoch.
             * @example 1705312200000
             */
            timestamp: number;
        };
        RoomSummary: {
            /**
             * @description The payment's room: 1–128 characters of `A-Z a-z 0-9 . _ : ~ -`.
             * @example payment_123
             */
            roomId: string;
            /**
             * @description Clients in it now.
             * @example 2
             */
            members: number;
            /**
             * @description The number of the last event in the log.
             * @example 7
             */
            seq: number;
            /**
             * @example pending
             * @enum {string}
             */
            status: "pending" | "succeeded" | "failed";
            /**
             * @description Milliseconds since the epoch.
             * @example 1705312200000
             */
            createdAt: number;
            /**
             * @description Milliseconds since the epoch.
             * @example 1705312200000
             */
            expiresAt: number;
            lastEventAt: number | null;
        };
        RoomList: {
            rooms: components["schemas"]["RoomSummary"][];
            /**
             * @description For the next page; null on the last one.
             * @example null
             */
            cursor: string | null;
        };
        RoomListResponse: {
            /** @enum {boolean} */
            success: true;
            data: components["schemas"]["RoomList"];
            /**
             * @description Milliseconds since the epoch.
             * @example 1705312200000
             */
            timestamp: number;
        };
        RoomDetails: {
            /**
             * @description The payment's room: 1–128 characters of `A-Z a-z 0-9 . _ : ~ -`.
             * @example payment_123
             */
            roomId: string;
            /**
             * @description Names this life of the room's log; `seq` counts within it.
             * @example aex8oNlQGo8f
             */
            epoch: string;
            /**
             * @description The number of the last event in the log.
             * @example 7
             */
            seq: number;
            state: components["schemas"]["PaymentState"];
            members: components["schemas"]["RoomMember"][];
            /**
             * @description Milliseconds since the epoch.
             * @example 1705312200000
             */
            createdAt: number;
            /**
             * @description Milliseconds since the epoch.
             * @example 1705312200000
             */
            expiresAt: number;
        };
        RoomDetailsResponse: {
            /** @enum {boolean} */
            success: true;
            data: components["schemas"]["RoomDetails"];
            /**
             * @description Milliseconds since the epoch.
             * @example 1705312200000
             */
            timestamp: number;
        };
        /** @description An event as the room's members got it. */
        RoomEvent: {
            /** @example PAYMENT_SUCCESS */
            type: string;
            /**
             * @example {
             *       "roomId": "payment_123",
             *       "transactionId": "tx_456789",
             *       "amount": 99.9
             *     }
             */
            payload: {
                [key: string]: unknown;
            };
            /** @example 7 */
            seq: number;
            /**
             * @description Milliseconds since the epoch.
             * @example 1705312200000
             */
            timestamp: number;
            /**
             * @description `api`: a backend said it. A payment event is that only with an API key; without one it is a device's word, however it came.
             * @enum {string}
             */
            source: "device" | "api";
            id?: string;
        };
        RoomEvents: {
            /**
             * @description Names this life of the room's log; `seq` counts within it.
             * @example aex8oNlQGo8f
             */
            epoch: string;
            /**
             * @description The number of the last event in the log.
             * @example 7
             */
            seq: number;
            /** @description The events are an unbroken run from the asked position. False: that cannot be shown, and all that is kept was read. */
            recovered: boolean;
            events: components["schemas"]["RoomEvent"][];
            /** @description There are more after the last of these; ask again with its `seq` as `since`. */
            more: boolean;
        };
        RoomEventsResponse: {
            /** @enum {boolean} */
            success: true;
            data: components["schemas"]["RoomEvents"];
            /**
             * @description Milliseconds since the epoch.
             * @example 1705312200000
             */
            timestamp: number;
        };
        PublishRequest: {
            /**
             * @example PAYMENT_SUCCESS
             * @enum {string}
             */
            type: "ENTERED_SUMMARY" | "CLICKED_PROCEED" | "PAYMENT_METHOD_CHANGED" | "DATA_FILLED" | "CLICKED_PAY" | "PAYMENT_SUCCESS" | "PAYMENT_ERROR";
            /**
             * @description As the device would send it; `roomId` may be left out.
             * @example {
             *       "transactionId": "tx_456789",
             *       "amount": 99.9,
             *       "currency": "BRL"
             *     }
             */
            payload?: {
                [key: string]: unknown;
            };
            id?: string;
        };
        PublishResult: {
            /**
             * @description Names this life of the room's log; `seq` counts within it.
             * @example aex8oNlQGo8f
             */
            epoch: string;
            /** @example 7 */
            seq: number;
            /** @description The `id` was there already; nothing was relayed again. */
            duplicate: boolean;
            /** @example 2 */
            sentToClients: number;
        };
        PublishResultResponse: {
            /** @enum {boolean} */
            success: true;
            data: components["schemas"]["PublishResult"];
            /**
             * @description Milliseconds since the epoch.
             * @example 1705312200000
             */
            timestamp: number;
        };
    };
    responses: never;
    parameters: never;
    requestBodies: never;
    headers: never;
    pathItems: never;
}
export type $defs = Record<string, never>;
export interface operations {
    getHealth: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description It lives. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Health"];
                };
            };
            /** @description The request breaks a rule; `details` names each. */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorResponse"];
                };
            };
            /** @description The server failed. */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorResponse"];
                };
            };
        };
    };
    getMetrics: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The figures. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "text/plain": string;
                };
            };
            /** @description The request breaks a rule; `details` names each. */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorResponse"];
                };
            };
            /** @description An API key is needed. */
            401: {
                headers: {
                    /** @description How to say who is calling. */
                    "WWW-Authenticate"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorResponse"];
                };
            };
            /** @description This is not allowed here. */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorResponse"];
                };
            };
            /** @description The server failed. */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorResponse"];
                };
            };
        };
    };
    getReadiness: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Traffic may come. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Readiness"];
                };
            };
            /** @description The request breaks a rule; `details` names each. */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorResponse"];
                };
            };
            /** @description The server failed. */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorResponse"];
                };
            };
            /** @description No traffic, please; the checks say why. */
            503: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Readiness"];
                };
            };
        };
    };
    getServerInfo: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Name, version, endpoints. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ServerInfo"];
                };
            };
            /** @description The request breaks a rule; `details` names each. */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorResponse"];
                };
            };
            /** @description The server failed. */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorResponse"];
                };
            };
        };
    };
    broadcastToRoom: {
        parameters: {
            query?: never;
            header?: {
                /**
                 * @description The same key with the same body is done once and answered alike; with another body it is a 409.
                 * @example order-1234-paid
                 */
                "idempotency-key"?: string;
            };
            path: {
                /**
                 * @description The payment's room: 1–128 characters of `A-Z a-z 0-9 . _ : ~ -`.
                 * @example payment_123
                 */
                roomId: string;
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["BroadcastRequest"];
            };
        };
        responses: {
            /** @description It is in the log, and on its way to everyone in the room. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["BroadcastResultResponse"];
                };
            };
            /** @description The request breaks a rule; `details` names each. */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorResponse"];
                };
            };
            /** @description An API key is needed. */
            401: {
                headers: {
                    /** @description How to say who is calling. */
                    "WWW-Authenticate"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorResponse"];
                };
            };
            /** @description This is not allowed here. */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorResponse"];
                };
            };
            /** @description There is no such room. */
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorResponse"];
                };
            };
            /** @description It conflicts with what is there. */
            409: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorResponse"];
                };
            };
            /** @description The room is closed. */
            410: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorResponse"];
                };
            };
            /** @description The body is too large. */
            413: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorResponse"];
                };
            };
            /** @description The address is too long. */
            414: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorResponse"];
                };
            };
            /** @description The body is not JSON. */
            415: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorResponse"];
                };
            };
            /** @description Too many requests; `Retry-After` says when the next one may come. */
            429: {
                headers: {
                    /** @description In how many seconds the next request may come. */
                    "Retry-After"?: number;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorResponse"];
                };
            };
            /** @description The server failed. */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorResponse"];
                };
            };
            /** @description The rooms cannot be reached; try again, an event with the same id or key. */
            503: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorResponse"];
                };
            };
        };
    };
    listRooms: {
        parameters: {
            query?: {
                /**
                 * @description Where the page before ended.
                 * @example 1
                 */
                cursor?: string;
                /**
                 * @description How many at the most.
                 * @example 100
                 */
                limit?: number;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description A page of rooms. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["RoomListResponse"];
                };
            };
            /** @description The request breaks a rule; `details` names each. */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorResponse"];
                };
            };
            /** @description An API key is needed. */
            401: {
                headers: {
                    /** @description How to say who is calling. */
                    "WWW-Authenticate"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorResponse"];
                };
            };
            /** @description This is not allowed here. */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorResponse"];
                };
            };
            /** @description Too many requests; `Retry-After` says when the next one may come. */
            429: {
                headers: {
                    /** @description In how many seconds the next request may come. */
                    "Retry-After"?: number;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorResponse"];
                };
            };
            /** @description The server failed. */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorResponse"];
                };
            };
            /** @description The rooms cannot be reached; try again, an event with the same id or key. */
            503: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorResponse"];
                };
            };
        };
    };
    createRoom: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: {
            content: {
                "application/json": components["schemas"]["CreateRoomRequest"];
            };
        };
        responses: {
            /** @description The room is there. */
            201: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["CreatedRoomResponse"];
                };
            };
            /** @description The request breaks a rule; `details` names each. */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorResponse"];
                };
            };
            /** @description An API key is needed. */
            401: {
                headers: {
                    /** @description How to say who is calling. */
                    "WWW-Authenticate"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorResponse"];
                };
            };
            /** @description This is not allowed here. */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorResponse"];
                };
            };
            /** @description It conflicts with what is there. */
            409: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorResponse"];
                };
            };
            /** @description The body is too large. */
            413: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorResponse"];
                };
            };
            /** @description The body is not JSON. */
            415: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorResponse"];
                };
            };
            /** @description Too many requests; `Retry-After` says when the next one may come. */
            429: {
                headers: {
                    /** @description In how many seconds the next request may come. */
                    "Retry-After"?: number;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorResponse"];
                };
            };
            /** @description The server failed. */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorResponse"];
                };
            };
            /** @description The rooms cannot be reached; try again, an event with the same id or key. */
            503: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorResponse"];
                };
            };
        };
    };
    listRoomEvents: {
        parameters: {
            query?: {
                /**
                 * @description The `seq` after which events are wanted.
                 * @example 1
                 */
                since?: number;
                /**
                 * @description The epoch of that `seq`; needed unless it is 0.
                 * @example yhKhDhBWRLJq
                 */
                epoch?: string;
                /**
                 * @description For JSON: how many at the most.
                 * @example 100
                 */
                limit?: number;
                /**
                 * @description A device's own name for itself: 1–128 characters, no control characters.
                 * @example device_1
                 */
                deviceId?: string;
                /** @description device1 made the link and watches; device2 opened it and pays. */
                role?: "device1" | "device2";
            };
            header?: {
                /**
                 * @description For a stream: `epoch:seq` of the last event that was seen.
                 * @example yhKhDhBWRLJq:2
                 */
                "last-event-id"?: string;
            };
            path: {
                /**
                 * @description The payment's room: 1–128 characters of `A-Z a-z 0-9 . _ : ~ -`.
                 * @example payment_123
                 */
                roomId: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The events. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["RoomEventsResponse"];
                    "text/event-stream": string;
                };
            };
            /** @description The request breaks a rule; `details` names each. */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorResponse"];
                };
            };
            /** @description An API key is needed. */
            401: {
                headers: {
                    /** @description How to say who is calling. */
                    "WWW-Authenticate"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorResponse"];
                };
            };
            /** @description This is not allowed here. */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorResponse"];
                };
            };
            /** @description There is no such room. */
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorResponse"];
                };
            };
            /** @description It conflicts with what is there. */
            409: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorResponse"];
                };
            };
            /** @description The room is closed. */
            410: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorResponse"];
                };
            };
            /** @description The address is too long. */
            414: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorResponse"];
                };
            };
            /** @description Too many requests; `Retry-After` says when the next one may come. */
            429: {
                headers: {
                    /** @description In how many seconds the next request may come. */
                    "Retry-After"?: number;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorResponse"];
                };
            };
            /** @description The server failed. */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorResponse"];
                };
            };
            /** @description The rooms cannot be reached; try again, an event with the same id or key. */
            503: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorResponse"];
                };
            };
        };
    };
    publishRoomEvent: {
        parameters: {
            query?: never;
            header?: {
                /**
                 * @description The same key with the same body is done once and answered alike; with another body it is a 409.
                 * @example order-1234-paid
                 */
                "idempotency-key"?: string;
            };
            path: {
                /**
                 * @description The payment's room: 1–128 characters of `A-Z a-z 0-9 . _ : ~ -`.
                 * @example payment_123
                 */
                roomId: string;
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["PublishRequest"];
            };
        };
        responses: {
            /** @description It is in the log. */
            201: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["PublishResultResponse"];
                };
            };
            /** @description The request breaks a rule; `details` names each. */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorResponse"];
                };
            };
            /** @description An API key is needed. */
            401: {
                headers: {
                    /** @description How to say who is calling. */
                    "WWW-Authenticate"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorResponse"];
                };
            };
            /** @description This is not allowed here. */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorResponse"];
                };
            };
            /** @description There is no such room. */
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorResponse"];
                };
            };
            /** @description It conflicts with what is there. */
            409: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorResponse"];
                };
            };
            /** @description The room is closed. */
            410: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorResponse"];
                };
            };
            /** @description The body is too large. */
            413: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorResponse"];
                };
            };
            /** @description The address is too long. */
            414: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorResponse"];
                };
            };
            /** @description The body is not JSON. */
            415: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorResponse"];
                };
            };
            /** @description Too many requests; `Retry-After` says when the next one may come. */
            429: {
                headers: {
                    /** @description In how many seconds the next request may come. */
                    "Retry-After"?: number;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorResponse"];
                };
            };
            /** @description The server failed. */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorResponse"];
                };
            };
            /** @description The rooms cannot be reached; try again, an event with the same id or key. */
            503: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorResponse"];
                };
            };
        };
    };
    getRoom: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /**
                 * @description The payment's room: 1–128 characters of `A-Z a-z 0-9 . _ : ~ -`.
                 * @example payment_123
                 */
                roomId: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The room. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["RoomDetailsResponse"];
                };
            };
            /** @description The request breaks a rule; `details` names each. */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorResponse"];
                };
            };
            /** @description An API key is needed. */
            401: {
                headers: {
                    /** @description How to say who is calling. */
                    "WWW-Authenticate"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorResponse"];
                };
            };
            /** @description This is not allowed here. */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorResponse"];
                };
            };
            /** @description There is no such room. */
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorResponse"];
                };
            };
            /** @description The room is closed. */
            410: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorResponse"];
                };
            };
            /** @description The address is too long. */
            414: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorResponse"];
                };
            };
            /** @description Too many requests; `Retry-After` says when the next one may come. */
            429: {
                headers: {
                    /** @description In how many seconds the next request may come. */
                    "Retry-After"?: number;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorResponse"];
                };
            };
            /** @description The server failed. */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorResponse"];
                };
            };
            /** @description The rooms cannot be reached; try again, an event with the same id or key. */
            503: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorResponse"];
                };
            };
        };
    };
    closeRoom: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /**
                 * @description The payment's room: 1–128 characters of `A-Z a-z 0-9 . _ : ~ -`.
                 * @example payment_123
                 */
                roomId: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description It is closed. */
            204: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
            /** @description The request breaks a rule; `details` names each. */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorResponse"];
                };
            };
            /** @description An API key is needed. */
            401: {
                headers: {
                    /** @description How to say who is calling. */
                    "WWW-Authenticate"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorResponse"];
                };
            };
            /** @description This is not allowed here. */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorResponse"];
                };
            };
            /** @description There is no such room. */
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorResponse"];
                };
            };
            /** @description The room is closed. */
            410: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorResponse"];
                };
            };
            /** @description The body is too large. */
            413: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorResponse"];
                };
            };
            /** @description The address is too long. */
            414: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorResponse"];
                };
            };
            /** @description The body is not JSON. */
            415: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorResponse"];
                };
            };
            /** @description Too many requests; `Retry-After` says when the next one may come. */
            429: {
                headers: {
                    /** @description In how many seconds the next request may come. */
                    "Retry-After"?: number;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorResponse"];
                };
            };
            /** @description The server failed. */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorResponse"];
                };
            };
            /** @description The rooms cannot be reached; try again, an event with the same id or key. */
            503: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorResponse"];
                };
            };
        };
    };
    createRoomToken: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /**
                 * @description The payment's room: 1–128 characters of `A-Z a-z 0-9 . _ : ~ -`.
                 * @example payment_123
                 */
                roomId: string;
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["CreateTokenRequest"];
            };
        };
        responses: {
            /** @description The token. */
            201: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["RoomTokenResponse"];
                };
            };
            /** @description The request breaks a rule; `details` names each. */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorResponse"];
                };
            };
            /** @description An API key is needed. */
            401: {
                headers: {
                    /** @description How to say who is calling. */
                    "WWW-Authenticate"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorResponse"];
                };
            };
            /** @description This is not allowed here. */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorResponse"];
                };
            };
            /** @description There is no such room. */
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorResponse"];
                };
            };
            /** @description The room is closed. */
            410: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorResponse"];
                };
            };
            /** @description The body is too large. */
            413: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorResponse"];
                };
            };
            /** @description The address is too long. */
            414: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorResponse"];
                };
            };
            /** @description The body is not JSON. */
            415: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorResponse"];
                };
            };
            /** @description Too many requests; `Retry-After` says when the next one may come. */
            429: {
                headers: {
                    /** @description In how many seconds the next request may come. */
                    "Retry-After"?: number;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorResponse"];
                };
            };
            /** @description The server failed. */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorResponse"];
                };
            };
            /** @description The rooms cannot be reached; try again, an event with the same id or key. */
            503: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorResponse"];
                };
            };
        };
    };
    getServerStatus: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The figures. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ServerStatusResponse"];
                };
            };
            /** @description The request breaks a rule; `details` names each. */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorResponse"];
                };
            };
            /** @description An API key is needed. */
            401: {
                headers: {
                    /** @description How to say who is calling. */
                    "WWW-Authenticate"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorResponse"];
                };
            };
            /** @description This is not allowed here. */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorResponse"];
                };
            };
            /** @description Too many requests; `Retry-After` says when the next one may come. */
            429: {
                headers: {
                    /** @description In how many seconds the next request may come. */
                    "Retry-After"?: number;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorResponse"];
                };
            };
            /** @description The server failed. */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorResponse"];
                };
            };
        };
    };
}
