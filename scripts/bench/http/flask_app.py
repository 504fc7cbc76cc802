"""The Flask backend, as its owner described it, with SQLite for its model. Run by gunicorn."""

import os
import sqlite3

from cryptography.fernet import Fernet
from flask import Flask, jsonify, request
from flask_jwt_extended import JWTManager, get_jwt_identity, jwt_required

app = Flask(__name__)
app.config["JWT_SECRET_KEY"] = os.environ["JWT_SECRET_KEY"]
JWTManager(app)
cipher = Fernet(os.environ["API_KEY_ENCRYPTION_KEY"])
database = sqlite3.connect(os.environ["DATABASE"], isolation_level=None, check_same_thread=False)
database.execute("PRAGMA journal_mode = WAL")
database.execute("CREATE TABLE IF NOT EXISTS users (id TEXT PRIMARY KEY, encrypted_api_key TEXT)")


class User:
    def __init__(self, user_id, encrypted_api_key):
        self.id = user_id
        self.encrypted_api_key = encrypted_api_key

    @staticmethod
    def find_by_id(user_id):
        row = database.execute("SELECT id, encrypted_api_key FROM users WHERE id = ?", (user_id,)).fetchone()
        return User(*row) if row else None

    def save(self):
        database.execute("UPDATE users SET encrypted_api_key = ? WHERE id = ?", (self.encrypted_api_key, self.id))


@app.route("/api/users/<user_id>/api-key", methods=["PUT", "GET", "DELETE"])
@jwt_required()
def api_key(user_id):
    if get_jwt_identity() != user_id:
        return jsonify({"error": "Unauthorized to access this user's API key"}), 403
    given = None
    if request.method == "PUT":
        data = request.get_json()
        if not data or "api_key" not in data:
            return jsonify({"error": "API key is required in request body"}), 400
        given = data["api_key"]
        if not given or not isinstance(given, str):
            return jsonify({"error": "Valid API key string is required"}), 400
    user = User.find_by_id(user_id)
    if not user:
        return jsonify({"error": "User not found"}), 404
    if request.method == "GET":
        if not user.encrypted_api_key:
            return jsonify({"has_api_key": False}), 200
        key = cipher.decrypt(user.encrypted_api_key.encode()).decode()
        return jsonify({"has_api_key": True, "api_key_preview": f"{key[:8]}..." if len(key) > 8 else "****"}), 200
    user.encrypted_api_key = cipher.encrypt(given.encode()).decode() if given else None
    user.save()
    return jsonify({"message": "API key updated successfully", "user_id": user_id}), 200
